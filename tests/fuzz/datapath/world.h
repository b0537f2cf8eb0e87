// The services, backends and settings that an input asks for, written into the maps as the agent
// would. Addresses, ports, secrets and NAT range are those of tests/bpf, so that its packets fit.
#pragma once

#include <memory>

#include "datapath/input.h"
#include "flare/abi.h"
#include "shim/map_store.h"

namespace flare::fuzz {

constexpr unsigned kServices = 8, kBackends = 32;
constexpr std::uint16_t kNatMin = 20000, kNatMax = 20999, kNatCrowded = 20001;

/// The maps of the programs, found once.
struct NamedMaps {
  Map& settings = maps()["settings"];
  Map& heartbeat = maps()["heartbeat"];
  Map& services = maps()["services"];
  Map& backends = maps()["backends"];
  Map& chain_sources = maps()["chain_sources"];
  Map& flows = maps()["flows"];
  Map& embryos = maps()["embryos"];
  Map& fragments = maps()["fragments"];
  Map& affinities = maps()["affinities"];
  Map& backend_loads = maps()["backend_loads"];
  Map& sock_loads = maps()["sock_loads"];
  Map& sock_backend_loads = maps()["sock_backend_loads"];
  Map& admission = maps()["admission"];
  Map& turns = maps()["turns"];
  Map& http2 = maps()["http2"];
  Map& shifts = maps()["shifts"];
  Map& latencies = maps()["latencies"];
  Map& service_counters = maps()["service_counters"];
  Map& backend_counters = maps()["backend_counters"];
  Map& reason_counters = maps()["reason_counters"];
  Map& tables = maps()["tables"];
};
const NamedMaps& named();

/// An IPv4 address, or an IPv6 one whose last word alone counts beside its first two.
flare_addr v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d);
flare_addr v6(std::uint16_t third, std::uint16_t fourth, std::uint32_t last);
std::uint16_t swapped(std::uint16_t number);

class World {
 public:
  World();

  /// Empties the maps, and fills them as the input's first bytes say.
  void build(Input& input);
  /// One change by the agent, or of the network.
  void change(std::uint8_t what, std::uint8_t which);

  /// The service (1 to 4: TCP and UDP over IPv4, TCP and UDP over IPv6) of a frontend, if there is
  /// one.
  const flare_service* service_at(const flare_addr& addr, std::uint16_t port, std::uint8_t proto);
  static flare_service_key frontend(bool v6, bool udp);
  /// Whether open connections may be told to end: their packets are changed then.
  bool moves() const { return moves_; }
  /// Whether the agent took away what it had written: counts of it end with it.
  bool disturbed() const { return disturbed_; }

 private:
  void put_services(const std::uint8_t* setup);
  void put_backends(const std::uint8_t* setup);
  void publish(std::uint32_t service, unsigned tier, unsigned count);
  void beat(std::uint64_t at);

  std::unique_ptr<Map> tables_[2 * kServices];
  bool moves_ = false;
  bool disturbed_ = false;
};

template <typename Value>
Value* entry(Map& map, const auto& key) {
  return static_cast<Value*>(map.find(&key));
}

}  // namespace flare::fuzz
