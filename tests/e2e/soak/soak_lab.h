// The lab of the soak: a balancer between a client, four VMs and a cloud, with a TCP and a UDP
// service.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "e2e/lab.h"
#include "e2e/peers.h"
#include "traffic.h"

namespace flare::test {

class SoakLab {
 public:
  static constexpr int kVms = 4;  ///< of them the last is configured by nobody
  static constexpr const char* kWeb = "203.0.113.100:7000";
  static constexpr const char* kDatagrams = "203.0.113.100:7001";

  explicit SoakLab(Attach attach);

  Lab& lab() { return lab_; }
  const Lab& lab() const { return lab_; }
  std::string client() const { return lab_.name("client"); }
  std::vector<SoakSink> sinks() const;
  /// The hosts that send and receive datagrams.
  static std::vector<std::string> datagram_hosts();
  static std::string vm(int number) { return "10.20." + std::to_string(number + 2) + ".10:9000"; }

  /// Writes the configuration, with this weight of the first VM.
  void configure(int weight = 1);
  /// The same, with a key that nobody knows.
  void configure_badly();
  /// Runs a flarectl command for each of the services: `share set SERVICE 0.5`.
  void ctl_each(const std::string& before, const std::string& after) const;
  /// The process of flared.
  pid_t agent() const { return lab_.agent_pid(); }

 private:
  std::string service(const std::string& name, const std::string& frontend,
                      const std::string& protocol, int weight) const;

  Lab lab_;
  std::vector<std::unique_ptr<EchoServer>> servers_;
};

}  // namespace flare::test
