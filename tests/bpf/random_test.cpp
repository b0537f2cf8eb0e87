// P22: random bytes behind Ethernet headers and good packets with bytes changed, a fixed seed.
// Holds rules 1 to 4: a verdict of ours, one reason a packet, what passes is untouched, and what is
// translated keeps its length, and the right checksums that it had.
#include <optional>
#include <random>
#include <set>

#include "packet_case.h"

namespace flare::test {
namespace {

constexpr std::uint64_t kSeed = 20240917;
constexpr int kPackets = 25'000;  // for each family and hook: 100,000 in all

/// The ones' complement sum of `bytes`, folded.
std::uint32_t ones_sum(const Bytes& frame, std::size_t from, std::size_t to, std::uint32_t sum) {
  for (std::size_t i = from; i < to; ++i)
    sum += (i - from) % 2 == 0 ? static_cast<std::uint32_t>(frame[i]) << 8 : frame[i];
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

/// Whether IP and transport checksums are right; nothing for what is not plain TCP or UDP.
std::optional<bool> checksums_right(const Bytes& frame) {
  if (frame.size() < 62) return std::nullopt;
  const bool v4 = frame[12] == 8 && frame[14] == 0x45 && (frame[20] & 0x3f) == 0 && frame[21] == 0;
  const bool v6 = frame[12] == 0x86;
  const std::uint8_t protocol = v4 ? frame[23] : frame[20];
  if ((!v4 && !v6) || (protocol != 6 && protocol != 17)) return std::nullopt;
  const std::size_t l4 = v4 ? 34 : 54;
  const std::size_t length = v4 ? static_cast<std::size_t>(frame[16] << 8 | frame[17]) - 20
                                : static_cast<std::size_t>(frame[18] << 8 | frame[19]);
  if (l4 + length > frame.size()) return std::nullopt;
  if (protocol == 17 && frame[l4 + 6] == 0 && frame[l4 + 7] == 0) return std::nullopt;
  std::uint32_t sum = protocol + static_cast<std::uint32_t>(length);
  sum = ones_sum(frame, v4 ? 26 : 22, l4, sum);
  return (v6 || ones_sum(frame, 14, 34, 0) == 0xffff) &&
         ones_sum(frame, l4, l4 + length, sum) == 0xffff;
}

class RandomPackets : public EachWay {
 protected:
  int roll(int sides) { return std::uniform_int_distribution(0, sides - 1)(random_); }
  std::uint8_t byte() { return static_cast<std::uint8_t>(roll(256)); }

  Bytes noise() {
    Bytes frame(static_cast<std::size_t>(14 + roll(200)));
    for (auto& each : frame) each = byte();
    const std::uint16_t types[] = {0x0800, 0x86dd, 0x8100, 0x0806};
    const std::uint16_t type = types[roll(4)];
    frame[0] = 2;
    frame[12] = static_cast<std::uint8_t>(type >> 8);
    frame[13] = static_cast<std::uint8_t>(type);
    return frame;
  }

  /// A good packet of a random kind, up to four of its bytes changed, its end cut off at times.
  Bytes near_miss() {
    const Packet kinds[] = {scene_.segment(static_cast<std::uint8_t>(roll(64))),
                            scene_.datagram(),
                            scene_.reply_segment(static_cast<std::uint8_t>(roll(64))),
                            scene_.reply_datagram(),
                            Scene::first_fragment(scene_.datagram()),
                            Scene::later_fragment(Scene::first_fragment(scene_.datagram()), 16, 24),
                            scene_.error_about(scene_.to_backend(scene_.segment()))};
    Packet packet = kinds[roll(7)];
    packet.ttl = byte();
    if (roll(4) == 0) packet.vlan_tags = {byte()};
    Bytes frame = packet.bytes();
    for (int changes = roll(5); changes > 0; --changes)
      frame[static_cast<std::size_t>(12 + roll(static_cast<int>(frame.size()) - 12))] = byte();
    if (roll(8) == 0)
      frame.resize(static_cast<std::size_t>(14 + roll(static_cast<int>(frame.size()) - 13)));
    return frame;
  }

  std::mt19937_64 random_{kSeed};
};

TEST_P(RandomPackets, KeepTheRules) {
  count_entries_every(100);
  bring_about(Given::kSpilledUdp);
  bring_about(Given::kSpilledTcp);
  std::set<std::string> reasons;
  const Verdicts verdict = verdicts(hook());
  for (int i = 0; i < kPackets && !HasFailure(); ++i) {
    Bytes frame = i % 4 == 0 ? noise() : near_miss();
    if (!kernel_runs(hook(), frame)) frame.resize(60);
    const std::uint64_t entries = i % 100 == 0 ? entries_of_everything() : 0;
    const Outcome outcome = run_frame(hook(), frame);  // rule 2
    reasons.insert(outcome.reason);
    SCOPED_TRACE("packet " + std::to_string(i) + ", " + outcome.reason + "\n" + hex_dump(frame));
    switch (reason_fate(reason_of(outcome.reason))) {
      case FLARE_FATE_PASS:
      case FLARE_FATE_PUNT:
        EXPECT_EQ(outcome.verdict, verdict.pass);
        EXPECT_TRUE(outcome.bytes == frame) << hex_dump(outcome.bytes);
        break;
      case FLARE_FATE_DROP:
        EXPECT_EQ(outcome.verdict, verdict.drop);
        break;
      case FLARE_FATE_FORWARD:
        EXPECT_EQ(outcome.verdict, verdict.forward);
        EXPECT_EQ(outcome.bytes.size(), frame.size());
        EXPECT_EQ(checksums_right(outcome.bytes), checksums_right(frame));
        break;
      case FLARE_FATE_ANSWER:
        EXPECT_TRUE(outcome.verdict == verdict.forward || outcome.verdict == verdict.drop);
        break;
    }
    if (i % 100 == 0 && outcome.reason.starts_with("not-")) {
      EXPECT_EQ(entries_of_everything(), entries);
    }
  }
  RecordProperty("packets", kPackets);
  for (const char* reason : {"not-ip", "not-service", "truncated", "bad-ip-header", "spill-known",
                             "spill-reply", "bad-tcp-flags", "ttl-exceeded"})
    EXPECT_TRUE(reasons.contains(reason)) << "the mix never met " << reason;
}

INSTANTIATE_TEST_SUITE_P(Ways, RandomPackets, testing::ValuesIn(kWays), way_name);

}  // namespace
}  // namespace flare::test
