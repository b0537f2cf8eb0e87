// One connection of a receiver's service, told segment by segment: for suites about what the
// datapath makes of it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "receiver_fixture.h"

namespace flare::test {

struct TurnWay {
  Way way;
  flare_tier tier;
};

/// One connection of the scene's client, told segment by segment; it counts sequence numbers
/// itself.
class Turns : public ReceiverTest, public testing::WithParamInterface<TurnWay> {
 protected:
  void SetUp() override {
    ReceiverTest::SetUp();
    build(GetParam().way.family);
    if (!spilled()) adjust([](flare_service& service) { service.share = 0; });
  }
  bool spilled() const { return GetParam().tier == FLARE_TIER_SERVERLESS; }
  flare_hook hook() const { return GetParam().way.hook; }

  /// SYN, SYN-ACK, ACK from `port`.
  void dial(std::uint16_t port = 40000) {
    client_seq_ = 1000;
    server_seq_ = 900'000;
    port_ = port;
    client(Bytes(), TcpFlags::kSyn);
    client_seq_ = 1001;
    if (spilled()) find_nat();
    server(Bytes(), TcpFlags::kSyn | TcpFlags::kAck);
    server_seq_ = 900'001;
    client(Bytes());
  }
  /// A segment of the client at its place in the stream, or at `seq`.
  Packet client_packet(const Bytes& payload, std::uint8_t flags = TcpFlags::kAck,
                       std::optional<std::uint32_t> seq = std::nullopt) const {
    Packet packet = tcp(scene_.client(port_), scene_.frontend(), flags);
    packet.seq = seq.value_or(client_seq_);
    packet.ack = flags == TcpFlags::kSyn ? 0 : server_seq_;
    packet.payload = payload;
    return packet;
  }
  void client(const Bytes& payload, std::uint8_t flags = TcpFlags::kAck,
              std::optional<std::uint32_t> seq = std::nullopt) {
    run_packet(hook(), client_packet(payload, flags, seq));
    if (!seq) client_seq_ += static_cast<std::uint32_t>(payload.size());
  }
  /// A segment of the server, as it comes to the hook that sees it.
  Packet server_packet(const Bytes& payload, std::uint8_t flags = TcpFlags::kAck,
                       std::optional<std::uint32_t> seq = std::nullopt) const {
    Packet packet = spilled() ? scene_.reply_segment(flags)
                              : tcp(scene_.frontend(), scene_.client(port_), flags);
    packet.seq = seq.value_or(server_seq_);
    packet.ack = client_seq_;
    packet.payload = payload;
    return packet;
  }
  Outcome run_server(const Packet& packet) {
    return spilled() ? run_packet(hook(), packet) : run_egress(packet.bytes(), 0);
  }
  void server(const Bytes& payload, std::uint8_t flags = TcpFlags::kAck,
              std::optional<std::uint32_t> seq = std::nullopt) {
    run_server(server_packet(payload, flags, seq));
    if (!seq) server_seq_ += static_cast<std::uint32_t>(payload.size());
  }
  void client(const char* text) { client(to_bytes(text)); }
  void server(const char* text) { server(to_bytes(text)); }

  flare_traffic counts() const { return tcp_counters().tier[GetParam().tier]; }
  std::int64_t in_flight() const {
    return static_cast<std::int64_t>(maps().admission.read(kTcpService).in_flight[GetParam().tier]);
  }
  std::uint64_t measured(flare_latency kind = FLARE_LATENCY_REQUEST) const {
    const flare_histogram histogram = maps().latency(kTcpService, GetParam().tier, kind);
    std::uint64_t sum = 0;
    for (const std::uint64_t count : histogram.count) sum += count;
    return sum;
  }
  /// Requests begun, answered, abandoned, and in flight.
  void expect(std::uint64_t begun, std::uint64_t answered, std::uint64_t abandoned,
              const char* what) const {
    EXPECT_EQ(counts().requests, begun) << what;
    EXPECT_EQ(counts().answers, answered) << what;
    EXPECT_EQ(counts().abandoned, abandoned) << what;
    EXPECT_EQ(in_flight(), static_cast<std::int64_t>(begun - answered - abandoned)) << what;
  }

  std::uint16_t port_ = 40000;
  std::uint32_t client_seq_ = 0, server_seq_ = 0;
};

inline const Bytes kRequest = to_bytes("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
inline const Bytes kAnswer = to_bytes("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");

/// A TLS record of `bytes` in all.
inline Bytes record(std::uint8_t type, std::size_t bytes) {
  Bytes made(bytes, 'x');
  made[0] = type;
  made[1] = 3;
  made[2] = 3;
  made[3] = static_cast<std::uint8_t>((bytes - 5) >> 8);
  made[4] = static_cast<std::uint8_t>(bytes - 5);
  return made;
}
inline Bytes joined(std::initializer_list<Bytes> parts) {
  Bytes all;
  for (const Bytes& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}
inline std::vector<TurnWay> turn_ways() {
  std::vector<TurnWay> chosen;
  for (const Way& way : kWays)
    for (const flare_tier tier : {FLARE_TIER_VM, FLARE_TIER_SERVERLESS})
      chosen.push_back({way, tier});
  return chosen;
}
inline std::string turn_way_name(const testing::TestParamInfo<TurnWay>& info) {
  return family_name(info.param.way.family) + hook_name(info.param.way.hook) +
         (info.param.tier == FLARE_TIER_VM ? "Vm" : "Serverless");
}
}  // namespace flare::test
