#include "soak_lab.h"

namespace flare::test {
namespace {

const std::string kCloud = "10.20.2.10:9000";
/// Interfaces that carry nothing, for faults, are attached, too.
const std::string kSpare = "  - match: spare*\n    mode: tc\n";

}  // namespace

SoakLab::SoakLab(Attach attach) : lab_(attach, Shape::kTwoArms) {
  for (const SoakSink& sink : sinks())
    servers_.push_back(
        std::make_unique<EchoServer>(sink.network_namespace, sink.endpoint, Protocol::kTcp, 'V'));
}

std::vector<SoakSink> SoakLab::sinks() const {
  std::vector<SoakSink> all{{lab_.name("cloud"), kCloud}};
  for (int number = 1; number <= kVms; ++number)
    all.push_back({lab_.name("vm" + std::to_string(number)), vm(number)});
  return all;
}

std::vector<std::string> SoakLab::datagram_hosts() {
  std::vector<std::string> all{"client", "cloud"};
  for (int number = 1; number <= kVms; ++number) all.push_back("vm" + std::to_string(number));
  return all;
}

/// Flows of a VM whose link is down must stay, so nobody takes it out.
std::string SoakLab::service(const std::string& name, const std::string& frontend,
                             const std::string& protocol, int weight) const {
  std::string text = "  - name: " + name + "\n    frontend: " + frontend +
                     "\n    protocol: " + protocol +
                     "\n    placement: balancer\n    policy: formula\n" +
                     "    capacity_rps: 1000000\n    health: {passive: off}\n    vm:\n";
  for (int number = 1; number < kVms; ++number)
    text += "      - {endpoint: \"" + vm(number) +
            "\", weight: " + std::to_string(number == 1 ? weight : 1) + "}\n";
  return text + "    serverless:\n      - endpoint: " + kCloud + "\n";
}

void SoakLab::configure(int weight) {
  lab_.configure(
      service("web", kWeb, "tcp", weight) + service("datagrams", kDatagrams, "udp", weight), "",
      kSpare);
}

void SoakLab::configure_badly() {
  lab_.configure(service("web", kWeb, "tcp", 1) + "    kapacity: 3\n", "", kSpare);
}

void SoakLab::ctl_each(const std::string& before, const std::string& after) const {
  for (const char* name : {"web", "datagrams"}) lab_.ctl_ok(before + " " + name + " " + after);
}

}  // namespace flare::test
