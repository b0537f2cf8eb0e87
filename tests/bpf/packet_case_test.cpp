// Runs every packet fixture through XDP, tc and the tc companion of XDP, in both families: at a
// receiver that spills all, and at a balancer whose VM tier has the same backends.
#include <set>
#include <tuple>

#include "packet_case.h"

namespace flare::test {
namespace {

struct Group {
  std::string fixture;
  Family family;
  Stand stand;
};

/// What a receiver leaves to its own stack is not what a balancer does: balancer_test.cpp has that.
bool holds_for(const PacketCase& row, Stand stand) {
  return stand == Stand::kReceiver || !(row.reason.starts_with("vm-") ||
                                        row.given == Given::kVmTcp || row.fixture == "overload");
}

std::vector<Group> groups() {
  std::vector<Group> found;
  std::set<std::tuple<std::string, Family, Stand>> seen;
  for (const PacketCase& row : all_packet_cases())
    for (const Family family : {Family::kV4, Family::kV6})
      for (const Stand stand : {Stand::kReceiver, Stand::kBalancer, Stand::kBalancerPlain})
        if (row.runs_in(family) && holds_for(row, stand) &&
            seen.emplace(row.fixture, family, stand).second)
          found.push_back({row.fixture, family, stand});
  return found;
}

/// What the companion says: it decides nothing new, and finishes what belongs to a flow. At a
/// balancer it judges what XDP could not look at.
std::string companion_reason(const PacketCase& row, const std::string& said) {
  if (said == "malformed" && row.fixture != "P17") return said;
  static const std::set<std::string> finished = {"spill-known",    "spill-reply", "spill-icmp",
                                                 "spill-fragment", "no-route",    "too-big",
                                                 "ttl-exceeded",   "backend-down"};
  const std::string& reason = row.reason_at(FLARE_HOOK_TC_COMPANION);
  return row.given != Given::kNothing && finished.contains(reason) ? reason : "not-punted";
}

class PacketFixtures : public ReceiverTest, public testing::WithParamInterface<Group> {
 protected:
  void run_case(const PacketCase& row, flare_hook hook) {
    forget_packets();
    adjust([this](flare_service& service) { service = fresh(service); });
    bring_about(row.given);
    if (row.adjust) adjust(row.adjust);
    const Bytes frame = row.frame(scene_);
    const std::string here = row.unread ? row.reason : said(row.reason_at(hook));
    const std::string reason =
        hook == FLARE_HOOK_TC_COMPANION ? said(companion_reason(row, here)) : here;
    switch (reason_fate(reason_of(reason))) {
      case FLARE_FATE_PASS:
        if (reason.starts_with("vm-"))
          expect_passed(hook, frame, reason);
        else
          expect_ignored(hook, frame, reason);
        return;
      case FLARE_FATE_PUNT:
        expect_punted(hook, frame, reason);
        return;
      case FLARE_FATE_DROP:
        expect_dropped(hook, frame, reason);
        return;
      case FLARE_FATE_ANSWER:
      case FLARE_FATE_FORWARD:
        expect_turned_into(row, hook, frame, reason);
        return;
    }
  }

 private:
  /// The service as make_service() and build() leave it.
  flare_service fresh(flare_service service) const {
    service.share = stand_ == Stand::kReceiver ? FLARE_SHARE_ONE : 0;
    service.policy = FLARE_POLICY_FORMULA;
    service.overload = FLARE_OVERLOAD_VM;
    service.hour_budget = 1'000'000;
    service.active_max = 0;
    return service;
  }

  void expect_punted(flare_hook hook, const Bytes& frame, const std::string& reason) {
    const Outcome outcome = run_frame(hook, frame);
    EXPECT_EQ(outcome.reason, reason);
    EXPECT_EQ(outcome.verdict, verdicts(hook).pass);
    EXPECT_EQ(hex_dump(outcome.bytes), hex_dump(frame));
  }

  void expect_turned_into(const PacketCase& row, flare_hook hook, const Bytes& frame,
                          const std::string& reason) {
    const MapImage before = image();
    const Outcome outcome = run_frame(hook, frame);
    EXPECT_EQ(outcome.reason, reason);
    EXPECT_EQ(outcome.verdict, verdicts(hook).forward);
    if (reason == said("spill-new")) find_nat();
    ASSERT_TRUE(row.becomes) << "the row says no frame";
    EXPECT_EQ(hex_dump(outcome.bytes), hex_dump(row.becomes(scene_)));
    const bool answered = reason_fate(reason_of(reason)) == FLARE_FATE_ANSWER;
    if (answered && row.given != Given::kNothing) {
      EXPECT_TRUE(image().flows == before.flows) << "an answer changed a flow";
    }
  }
};

TEST_P(PacketFixtures, GetTheirVerdictReasonAndFrame) {
  stand_at(GetParam().stand);
  int cases = 0;
  for (const Path path : {Path::kPlain, Path::kSmallMtu, Path::kUnknownNeighbour, Path::kNoRoute,
                          Path::kOtherDevice}) {
    bool built = false;
    for (const PacketCase& row : all_packet_cases()) {
      if (row.fixture != GetParam().fixture || row.path != path ||
          !row.runs_in(GetParam().family) || !holds_for(row, GetParam().stand))
        continue;
      if (!built) build(GetParam().family, path);
      built = true;
      for (const auto hook : {FLARE_HOOK_XDP, FLARE_HOOK_TC_INGRESS, FLARE_HOOK_TC_COMPANION}) {
        SCOPED_TRACE(row.fixture + " " + row.what + ", " + hook_name(hook));
        run_case(row, hook);
        ++cases;
      }
    }
  }
  RecordProperty("cases", cases);
}

std::string group_name(const testing::TestParamInfo<Group>& info) {
  std::string name =
      info.param.fixture + family_name(info.param.family) + stand_name(info.param.stand);
  std::erase_if(name, [](char letter) { return std::isalnum(letter) == 0; });
  return name;
}

INSTANTIATE_TEST_SUITE_P(Tables, PacketFixtures, testing::ValuesIn(groups()), group_name);

}  // namespace
}  // namespace flare::test
