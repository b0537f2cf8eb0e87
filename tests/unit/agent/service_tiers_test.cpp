// Services whose VM tier is translated: two tiers of backends, their tables, and their end.
#include <arpa/inet.h>

#include <algorithm>

#include "service_set_fixture.h"

namespace flare {
namespace {

using test::kKey;
using test::kSecond;
using test::Services;
using test::web;
using test::with;
using Ids = std::set<std::uint32_t>;
using Log = std::vector<std::string>;

ServiceConfig vip() {
  ServiceConfig service = web();
  service.name = "vip";
  service.placement = FLARE_PLACEMENT_BALANCER;
  service.vm = {{*Endpoint::parse("198.51.100.11:80"), 3, FLARE_BACKEND_ACTIVE},
                {*Endpoint::parse("198.51.100.12:80"), 1, FLARE_BACKEND_ACTIVE}};
  return service;
}

TEST_F(Services, WithAVmTierHaveBackendsAndATableInBoth) {
  ServiceConfig service = vip();
  service.snat_mode = FLARE_SNAT_AUTO;
  service.select = FLARE_SELECT_LEAST;
  service.chain = FLARE_CHAIN_STAY;
  service.affinity = std::chrono::seconds(90);
  apply(with({service}));
  const flare_service& value = tables_.only_service();
  EXPECT_EQ(value.placement, FLARE_PLACEMENT_BALANCER);
  EXPECT_EQ(value.snat_mode, FLARE_SNAT_AUTO);
  EXPECT_EQ(value.select, FLARE_SELECT_LEAST);
  EXPECT_EQ(value.chain, FLARE_CHAIN_STAY);
  EXPECT_EQ(value.affinity_ns, 90 * kSecond);
  EXPECT_EQ(tables_.ids_in_table(0, FLARE_TIER_VM), (Ids{1, 2}));
  EXPECT_EQ(tables_.ids_in_table(0, FLARE_TIER_SERVERLESS), (Ids{3, 4}));
  const auto& vm = tables_.table(0, FLARE_TIER_VM);
  const auto first = static_cast<double>(std::count(vm.begin(), vm.end(), 1U));
  EXPECT_NEAR(first / static_cast<double>(vm.size()), 0.75, 0.01) << "weights 3 and 1";
  EXPECT_EQ(tables_.backends_[1].tier, FLARE_TIER_VM);
  EXPECT_EQ(tables_.backends_[1].weight, 3U);
  EXPECT_EQ(tables_.backends_[3].tier, FLARE_TIER_SERVERLESS);
  EXPECT_EQ(tables_.backends_[2].service_id, 0U);
}

TEST_F(Services, ArePublishedTogetherAsEachPublishingIsAWait) {
  ServiceConfig second = vip();
  second.name = "second";
  second.frontend = *Endpoint::parse("192.0.2.10:81");
  second.vm.resize(1);
  second.serverless.resize(1);
  apply(with({vip(), second}));
  EXPECT_EQ(tables_.table_writes, 4U);
  EXPECT_EQ(tables_.table_batches, 1U);
  apply(with({vip(), second}));
  EXPECT_EQ(tables_.table_batches, 1U) << "nothing has changed";
}

TEST_F(Services, KeepTheSizesOfTheirTables) {
  ServiceConfig service = vip();
  apply(with({service}));
  EXPECT_EQ(tables_.table(0, FLARE_TIER_VM).size(), 2039U);
  service.vm[0].weight = 3000;
  apply(with({service}));
  EXPECT_EQ(tables_.table(0, FLARE_TIER_VM).size(), 16381U) << "the other would have no slot";
  service.vm[0].weight = 3;
  apply(with({service}));
  EXPECT_EQ(tables_.table(0, FLARE_TIER_VM).size(), 16381U) << "made anew it would have fewer";
  ServiceSet restarted{tables_, *log_, kKey};
  service.vm[0].weight = 4;
  ASSERT_TRUE(restarted.apply(with({service}), {}, now_));
  EXPECT_EQ(tables_.table(0, FLARE_TIER_VM).size(), 16381U);
  service.vm[1].state = FLARE_BACKEND_DOWN;
  ASSERT_TRUE(restarted.apply(with({service}), {}, now_));
  EXPECT_EQ(tables_.table(0, FLARE_TIER_VM).size(), 16381U) << "whatever their states";
}

TEST_F(Services, OfAReceiverHaveNoVmTable) {
  apply(with({web()}));
  EXPECT_TRUE(tables_.table(0, FLARE_TIER_VM).empty());
  EXPECT_EQ(tables_.settings_.plain_replies, 0);
}

TEST_F(Services, KeepTheIdsOfTheirVmBackends) {
  apply(with({vip()}));
  ServiceConfig next = vip();
  std::swap(next.vm[0], next.vm[1]);
  next.vm.insert(next.vm.begin(), {*Endpoint::parse("198.51.100.13:80"), 1, FLARE_BACKEND_ACTIVE});
  ServiceSet other{tables_, *log_, kKey};
  ASSERT_TRUE(other.apply(with({next}), {}, now_));
  EXPECT_EQ(Address{tables_.backends_[1].addr}.text(), "198.51.100.11");
  EXPECT_EQ(Address{tables_.backends_[2].addr}.text(), "198.51.100.12");
  EXPECT_EQ(Address{tables_.backends_[5].addr}.text(), "198.51.100.13");
  EXPECT_EQ(tables_.backends_[1].generation, 1U);
  EXPECT_EQ(tables_.ids_in_table(0, FLARE_TIER_VM), (Ids{1, 2, 5}));
}

TEST_F(Services, WhoseBackendChangesItsTierGiveItAnotherId) {
  apply(with({vip()}));
  ServiceConfig next = vip();
  next.serverless.push_back(next.vm.back());
  next.vm.pop_back();
  apply(with({next}));
  EXPECT_EQ(tables_.ids_in_table(0, FLARE_TIER_VM), (Ids{1}));
  EXPECT_EQ(tables_.ids_in_table(0, FLARE_TIER_SERVERLESS), (Ids{3, 4, 5}));
  EXPECT_EQ(tables_.backends_[5].tier, FLARE_TIER_SERVERLESS);
  EXPECT_EQ(tables_.backends_[2].port, 0) << "free";
}

TEST_F(Services, DrainABackendOfTheVmTier) {
  apply(with({vip()}));
  ASSERT_TRUE(set_.drain("vip", vip().vm[0].endpoint, true));
  EXPECT_EQ(tables_.ids_in_table(0, FLARE_TIER_VM), (Ids{2}));
  EXPECT_EQ(tables_.ids_in_table(0, FLARE_TIER_SERVERLESS), (Ids{3, 4}));
  EXPECT_EQ(tables_.backends_[1].state, FLARE_BACKEND_DRAINING);
  ASSERT_TRUE(set_.drain("vip", vip().vm[0].endpoint, false));
  EXPECT_EQ(tables_.ids_in_table(0, FLARE_TIER_VM), (Ids{1, 2}));
  const auto unknown = set_.drain("vip", *Endpoint::parse("198.51.100.9:80"), true);
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().message().find("198.51.100.11:80, 198.51.100.12:80, 198.51.100.1:80"),
            std::string::npos)
      << unknown.error().message();
}

TEST_F(Services, HaveTheirTablesBeforeTheyReadThemAndLoseThemAfter) {
  apply(with({vip()}));
  EXPECT_EQ(tables_.log_, (Log{"table vm", "table sl", "service"}));
  tables_.log_.clear();
  ServiceConfig receiver = vip();
  receiver.placement = FLARE_PLACEMENT_RECEIVER;
  receiver.vm.clear();
  apply(with({receiver}));
  EXPECT_EQ(tables_.log_, (Log{"service", "withdraw vm"}));
}

TEST_F(Services, KnowWhichBackendsAreThisHost) {
  ASSERT_TRUE(set_.set_host_addresses({*Address::parse("198.51.100.12")}));
  apply(with({vip()}));
  EXPECT_EQ(tables_.backends_[1].flags, 0);
  EXPECT_EQ(tables_.backends_[2].flags, FLARE_BACKEND_LOCAL);
  EXPECT_EQ(tables_.settings_.plain_replies, 1);
  const std::size_t writes = tables_.service_writes;
  ASSERT_TRUE(set_.set_host_addresses({*Address::parse("198.51.100.11")}));
  EXPECT_EQ(tables_.backends_[1].flags, FLARE_BACKEND_LOCAL) << "at once";
  EXPECT_EQ(tables_.backends_[2].flags, 0);
  EXPECT_EQ(tables_.service_writes, writes);
  ASSERT_TRUE(set_.set_host_addresses({}));
  EXPECT_EQ(tables_.backends_[1].flags, 0);
}

TEST_F(Services, LookForPlainRepliesWhereAClientMayKeepItsAddress) {
  ServiceConfig service = vip();
  apply(with({service}));
  EXPECT_EQ(tables_.settings_.plain_replies, 0);
  service.snat_mode = FLARE_SNAT_NEVER;
  apply(with({service}));
  EXPECT_EQ(tables_.settings_.plain_replies, 1);
  service.placement = FLARE_PLACEMENT_SENDER;
  service.snat_mode = FLARE_SNAT_ALWAYS;
  apply(with({service}));
  EXPECT_EQ(tables_.settings_.plain_replies, 1);
}

TEST_F(Services, LookForPlainRepliesUntilTheFlowsOfBeforeHaveEnded) {
  ServiceConfig service = vip();
  service.placement = FLARE_PLACEMENT_SENDER;
  apply(with({service}));
  apply(with({}));
  EXPECT_EQ(tables_.settings_.plain_replies, 1);
  now_ += 3599 * kSecond;
  apply(with({web()}));
  ASSERT_TRUE(set_.tick(now_, 0));
  EXPECT_EQ(tables_.settings_.plain_replies, 1);
  now_ += kSecond;
  ASSERT_TRUE(set_.tick(now_, 0));
  EXPECT_EQ(tables_.settings_.plain_replies, 0);
}

TEST_F(Services, RemovedTakeNoNewFlowsOfATranslatedTier) {
  apply(with({vip()}));
  tables_.log_.clear();
  apply(with({}));
  EXPECT_EQ(tables_.log_, (Log{"service", "withdraw vm", "withdraw sl"}));
  EXPECT_EQ(tables_.only_service().placement, FLARE_PLACEMENT_BALANCER) << "for its open flows";
  EXPECT_EQ(tables_.only_service().policy, FLARE_POLICY_OBSERVE);
  EXPECT_EQ(tables_.only_service().hour_budget, 0U);
  apply(with({}));
  EXPECT_EQ(tables_.log_.size(), 3U) << "once";
  apply(with({vip()}));
  EXPECT_FALSE(tables_.table(0, FLARE_TIER_VM).empty()) << "it came back";
}

TEST_F(Services, RemovedGoWhenTheFlowsOfBothTiersEnded) {
  apply(with({vip()}));
  tables_.loads_[2].active = 1;
  apply(with({}));
  for (int i = 0; i < 60; ++i) second(0);
  EXPECT_EQ(tables_.service_count(), 1U) << "a flow to a VM is open";
  tables_.loads_[2].active = 0;
  tables_.admission_[0].active = 1;
  second(0);
  EXPECT_EQ(tables_.service_count(), 1U) << "a spilled one is open";
  tables_.admission_[0].active = 0;
  second(0);
  EXPECT_EQ(tables_.service_count(), 0U);
}

TEST_F(Services, RemovedBeforeThisAgentGoWhenNoFlowCanBeAlive) {
  apply(with({vip()}));
  apply(with({}));
  ServiceSet next{tables_, *log_, kKey};
  ASSERT_TRUE(next.apply(with({}), {}, now_));
  ASSERT_TRUE(next.tick(now_ + 3600 * kSecond, 0));
  EXPECT_EQ(tables_.service_count(), 1U)
      << "its backends are forgotten, so their loads say nothing";
  ASSERT_TRUE(next.tick(now_ + 3601 * kSecond, 0));
  EXPECT_EQ(tables_.service_count(), 0U);
}

TEST_F(Services, RemovedWhoseBackendIdHasAnotherOwnerGoByTime) {
  apply(with({vip()}));
  apply(with({}));
  tables_.backends_[1].generation = 2;
  for (int i = 0; i < 60; ++i) second(0);
  EXPECT_EQ(tables_.service_count(), 1U);
}

std::set<std::string> texts(const std::vector<flare_prefix>& prefixes) {
  std::set<std::string> texts;
  for (const flare_prefix& prefix : prefixes) {
    texts.insert(Address{prefix.addr}.text() + "/" + std::to_string(prefix.bits));
  }
  return texts;
}

TEST_F(Services, HaveTheirServerlessSourcesBeforeTheyAskForThem) {
  Config config = with({vip()});
  config.serverless_sources = {*Prefix::parse("203.0.113.0/24"), *Prefix::parse("2001:db8::/32")};
  apply(config);
  EXPECT_EQ(texts(*tables_.chain_sources()),
            (std::set<std::string>{"203.0.113.0/120", "2001:db8::/32"}));
  EXPECT_EQ(tables_.log_.front(), "add source");
  tables_.log_.clear();
  config.serverless_sources = {*Prefix::parse("203.0.113.0/24"), *Prefix::parse("203.0.114.0/24")};
  config.services[0].chain = FLARE_CHAIN_STAY;
  apply(config);
  EXPECT_EQ(tables_.log_, (Log{"add source", "service", "erase source"}));
  EXPECT_EQ(texts(*tables_.chain_sources()),
            (std::set<std::string>{"203.0.113.0/120", "203.0.114.0/120"}));
  tables_.log_.clear();
  apply(config);
  EXPECT_TRUE(tables_.log_.empty());
}

TEST_F(Services, CountWhatSpilledByChainOrForWantOfAVm) {
  apply(with({vip()}));
  second(0);
  tables_.counters_[0].spilled[FLARE_SPILL_CHAIN] += 5;
  tables_.counters_[0].spilled[FLARE_SPILL_NO_VM] += 7;
  second(100);
  ASSERT_EQ(tables_.events_.size(), 1U);
  EXPECT_EQ(tables_.events_[0].flows[FLARE_SPILL_CHAIN], 5U);
  EXPECT_EQ(tables_.events_[0].flows[FLARE_SPILL_NO_VM], 7U);
  for (int i = 0; i < 6; ++i) second(100);
  ASSERT_EQ(tables_.events_.size(), 2U);
  EXPECT_EQ(tables_.events_[1].flows[0], 12U);
}

}  // namespace
}  // namespace flare
