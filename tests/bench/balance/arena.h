// A balancer's service in the benchmark's world, with any number of backends and weights, and its
// connections, told segment by segment to the shipped XDP program.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "bench/world.h"
#include "control/maglev.h"

namespace flare::bench {

struct Client {
  Address address;
  std::uint16_t port = 0;
};

/// A connection as the datapath has sent it on: to which backend, and from where.
struct Connection {
  Client client;
  std::uint32_t backend = 0;  ///< 0 is the first
  Address nat;
  std::uint16_t nat_port = 0;
};

/// Everything throws std::runtime_error where a packet does not become what it should.
class Arena {
 public:
  /// Backend n has `weights[n]`. The table is the agent's own.
  Arena(World& world, Family family, std::span<const std::uint32_t> weights, flare_select select);

  std::size_t backends() const { return weights_.size(); }
  const std::vector<std::uint32_t>& weights() const { return weights_; }
  /// How many slots of the table in the kernel each backend has.
  std::vector<std::uint32_t> slots() const;
  /// The client that belongs to 64 random bits.
  Client client(std::uint64_t bits) const;

  /// The SYN.
  Connection open(const Client& client);
  /// SYN-ACK and request.
  void ask(const Connection& connection);
  /// The answer, which ends the connection, and the client's own end.
  void answer(const Connection& connection);

  /// What `select: least` goes by.
  flare_backend_load load(std::uint32_t backend) const;
  flare_traffic traffic() const;
  /// Forgets all flows, and what was counted.
  void forget();

 private:
  std::uint32_t backend_of(std::span<const std::uint8_t> address) const;
  std::vector<std::uint8_t> send(const test::Packet& packet, std::uint32_t verdict);
  test::Packet of_client(const Client& client, std::uint8_t flags) const;
  test::Packet of_backend(const Connection& connection, std::uint8_t flags) const;

  World& world_;
  Family family_;
  std::vector<std::uint32_t> weights_;
  std::vector<Endpoint> endpoints_;
  std::map<std::uint32_t, std::uint32_t> by_last_word_;  ///< of an address: the backend
  Endpoint frontend_;
};

/// Endpoint of backend n, in either family, port kBackendPort.
Endpoint backend_endpoint(Family family, std::uint32_t number);

}  // namespace flare::bench
