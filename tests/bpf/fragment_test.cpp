// Datagrams in fragments, as sequences: who follows whom, and for how long.
#include "receiver_fixture.h"

namespace flare::test {
namespace {

class Fragments : public EachWay {
 protected:
  Packet first() const { return Scene::first_fragment(scene_.datagram("12345678")); }
  Packet later() const { return Scene::later_fragment(first(), 16, 24); }
  void spill_first() {
    EXPECT_EQ(run_packet(hook(), first()).reason, "spill-new");
    find_nat();
  }
};

TEST_P(Fragments, FollowTheFirstToTheBackend) {
  spill_first();
  expect_sent(hook(), later(), scene_.to_backend(later()), "spill-fragment");
  const Packet last = Scene::later_fragment(first(), 40, 3);
  expect_sent(hook(), last, scene_.to_backend(last), "spill-fragment");
  EXPECT_EQ(udp_counters().tier[FLARE_TIER_SERVERLESS].packets_in, 3U);
  EXPECT_EQ(udp_counters().tier[FLARE_TIER_SERVERLESS].flows_new, 1U);
}

TEST_P(Fragments, FollowTheFirstBackToTheClient) {
  bring_about(Given::kSpilledUdp);
  const Packet reply = Scene::first_fragment(scene_.reply_datagram("12345678"), 99);
  expect_sent(hook(), reply, scene_.to_client(reply), "spill-reply");
  const Packet rest = Scene::later_fragment(reply, 16, 24);
  expect_sent(hook(), rest, scene_.to_client(rest), "spill-fragment");
  EXPECT_EQ(udp_counters().tier[FLARE_TIER_SERVERLESS].packets_out, 3U);
}

/// IPv6 alone has extension headers.
class FragmentsWithExtensions : public Fragments {};

TEST_P(FragmentsWithExtensions, FollowWhereDestinationOptionsComeAfterTheFragmentHeader) {
  Packet opening = scene_.datagram("12345678");
  opening.extensions = {{44, {0, 1, 0, 0, 0, 55}}, {60, {}}};
  EXPECT_EQ(run_packet(hook(), opening).reason, "spill-new");
  find_nat();
  Packet rest = scene_.datagram();
  rest.extensions = {{44, {0, 24, 0, 0, 0, 55}}};
  rest.protocol_field = 60;
  rest.fragment_offset = 24;
  expect_sent(hook(), rest, scene_.to_backend(rest), "spill-fragment");
}

TEST_P(Fragments, ComingBeforeTheFirstPass) {
  expect_ignored(hook(), later().bytes(), "fragment-no-flow");
  spill_first();
  expect_sent(hook(), later(), scene_.to_backend(later()), "spill-fragment");
}

TEST_P(Fragments, DoNotFollowAnEarlierDatagramOfTheSameIdentification) {
  spill_first();
  adjust([](flare_service& service) { service.share = 0; });
  Packet other = first();
  other.sport = 40001;
  EXPECT_EQ(run_packet(hook(), other).reason, "vm-new");
  EXPECT_EQ(*maps().fragments.count(), 0U);
  expect_ignored(hook(), later().bytes(), "fragment-no-flow");
}

TEST_P(Fragments, DoNotFollowAFirstOneOfLongAgo) {
  spill_first();
  std::vector<flare_fragment_key> keys;
  ASSERT_TRUE(maps().fragments.for_each(
      [&](const flare_fragment_key& key, const flare_fragment&) { keys.push_back(key); }));
  ASSERT_EQ(keys.size(), 1U);
  auto record = *maps().fragments.lookup(keys[0]);
  record.seen_ns -= 31'000'000'000U;
  ASSERT_TRUE(maps().fragments.update(keys[0], record));
  expect_ignored(hook(), later().bytes(), "fragment-no-flow");
}

TEST_P(Fragments, OfWholeDatagramsLeaveNoRecord) {
  EXPECT_EQ(run_packet(hook(), scene_.datagram()).reason, "spill-new");
  EXPECT_EQ(*maps().fragments.count(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Ways, Fragments, testing::ValuesIn(kWays), way_name);
INSTANTIATE_TEST_SUITE_P(Ways, FragmentsWithExtensions,
                         testing::ValuesIn(ways([](Way way) { return way.family == Family::kV6; })),
                         way_name);

}  // namespace
}  // namespace flare::test
