// docs/packets.md says what the fixtures say.
#include <set>

#include "packet_case.h"

namespace flare::test {
namespace {

TEST(PacketTable, IsTheOneInTheDocumentation) {
  const std::string path = std::string(FLARE_SOURCE_DIR) + "/docs/packets.md";
  EXPECT_EQ(read_packet_table(path), packet_table())
      << "run: flare_packet_table docs/packets.md (in the build folder, tests/bpf)";
}

TEST(PacketTable, MeetsEveryReasonOfIngressThatAPacketCanShow) {
  std::set<std::string> met;
  for (const PacketCase& row : all_packet_cases()) {
    met.insert(row.reason);
    if (!row.tc_reason.empty()) met.insert(row.tc_reason);
  }
  // elsewhere: these need a network that changes, a large MTU, or another hook
  met.insert({"punt-forwarding", "no-route", "backend-down", "punt-layout", "not-punted",
              "rewrite-failed", "vm-reply", "not-local"});
  // said at a balancer: packet_case_test.cpp and balancer_test.cpp
  met.insert({"forward-new", "forward-known", "forward-again", "forward-reply", "forward-fragment",
              "forward-icmp", "malformed"});
  for (std::uint32_t reason = 0; reason < FLARE_REASONS_COUNT; ++reason)
    EXPECT_TRUE(met.contains(std::string(reason_word(reason)))) << reason_word(reason);
}

TEST(PacketTable, NamesAtLeastThreeHundredPackets) {
  std::set<std::string> named;
  for (const PacketCase& row : all_packet_cases())
    for (const Family family : {Family::kV4, Family::kV6})
      if (row.runs_in(family)) named.insert(row.fixture + row.what + family_name(family));
  EXPECT_GE(named.size(), 300U);
  RecordProperty("named_in_all_classes", static_cast<int>(named.size()));
}

}  // namespace
}  // namespace flare::test
