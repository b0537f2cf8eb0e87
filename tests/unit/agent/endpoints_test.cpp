// What was told, laid over the configuration; what may be told; and the sums.
#include "service/endpoints.h"

#include <gtest/gtest.h>

namespace flare {
namespace {

Endpoint at(const std::string& text) { return *Endpoint::parse(text); }

Config config() {
  Config config;
  ServiceConfig web;
  web.name = "web";
  web.frontend = at("192.0.2.10:80");
  web.placement = FLARE_PLACEMENT_BALANCER;
  web.vm = {{at("198.51.100.11:80"), 1, FLARE_BACKEND_ACTIVE},
            {at("198.51.100.12:80"), 2, FLARE_BACKEND_DRAINING}};
  web.serverless = {{at("203.0.113.1:80"), 1, FLARE_BACKEND_ACTIVE}};
  config.services = {web};
  return config;
}

std::string names(const std::vector<BackendConfig>& backends) {
  std::string text;
  for (const BackendConfig& backend : backends) {
    text += (text.empty() ? "" : " ") + backend.endpoint.text();
  }
  return text;
}

TEST(Told, LiesOverTheConfiguration) {
  const Config file = config();
  const OwnAddresses own(file);
  ToldService told;
  told.removed = {at("198.51.100.11:80"), at("203.0.113.1:80")};
  told.added[at("198.51.100.12:80")] = {FLARE_TIER_VM, 7, 4, 0};
  told.added[at("198.51.100.13:80")] = {FLARE_TIER_VM, 1, 5, 0};
  told.added[at("203.0.113.2:80")] = {FLARE_TIER_SERVERLESS, 0, 0, 0};
  const Overlaid result = with_told(file.services[0], told, own);
  EXPECT_TRUE(result.left_out.empty());
  EXPECT_EQ(names(result.service.vm), "198.51.100.12:80 198.51.100.13:80");
  EXPECT_EQ(result.service.vm[0].weight, 7U);
  EXPECT_EQ(result.service.vm[0].state, FLARE_BACKEND_DRAINING) << "as the configuration says";
  EXPECT_EQ(result.service.vm[1].workers, 5U);
  EXPECT_TRUE(workers_by_backend(result.service));
  EXPECT_FALSE(capacity_by_backend(result.service));
  EXPECT_EQ(names(result.service.serverless), "203.0.113.2:80");
}

TEST(Told, ThatDoesNotFitAnyMoreIsLeftOut) {
  Config file = config();
  ToldService told;
  told.added[at("198.51.100.13:80")] = {FLARE_TIER_VM, 1, 0, 0};
  told.added[at("192.0.2.10:80")] = {FLARE_TIER_VM, 1, 0, 0};
  told.added[at("203.0.113.1:80")] = {FLARE_TIER_VM, 1, 0, 0};
  told.added[at("[2001:db8::1]:80")] = {FLARE_TIER_SERVERLESS, 1, 0, 0};
  const OwnAddresses own(file);
  Overlaid result = with_told(file.services[0], told, own);
  EXPECT_EQ(names(result.service.vm), "198.51.100.11:80 198.51.100.12:80 198.51.100.13:80");
  EXPECT_EQ(names(result.service.serverless), "203.0.113.1:80");
  EXPECT_EQ(result.left_out.size(), 3U);
  file.services[0].placement = FLARE_PLACEMENT_RECEIVER;
  file.services[0].vm.clear();
  result = with_told(file.services[0], told, own);
  EXPECT_TRUE(result.service.vm.empty());
  EXPECT_EQ(result.left_out.size(), 4U);
}

TEST(Told, FiguresOfTheServiceHoldUntilItsConfiguredBackendsTellTheirs) {
  Config file = config();
  const OwnAddresses own(file);
  ToldService told;
  told.workers = 9;
  told.added[at("198.51.100.13:80")] = {FLARE_TIER_VM, 1, 5, 0};
  Overlaid result = with_told(file.services[0], told, own);
  EXPECT_EQ(result.service.workers, 9U);
  EXPECT_FALSE(workers_by_backend(result.service));
  EXPECT_EQ(result.service.vm[2].workers, 0U) << "it does not count, and is not shown";
  file.services[0].workers = 8;
  EXPECT_EQ(with_told(file.services[0], told, own).service.workers, 9U);
  file.services[0].workers = 0;
  for (BackendConfig& backend : file.services[0].vm) backend.workers = 4;
  result = with_told(file.services[0], told, own);
  EXPECT_EQ(result.service.workers, 0U);
  EXPECT_TRUE(workers_by_backend(result.service));
}

struct AddCase {
  const char* name;
  void (*change)(ServiceConfig&);
  const char* endpoint;
  ToldBackend backend;
  const char* says;  ///< empty: it may be added
};

class MayAdd : public testing::TestWithParam<AddCase> {};

TEST_P(MayAdd, WhatTheConfigurationWouldTake) {
  Config file = config();
  GetParam().change(file.services[0]);
  const OwnAddresses own(file);
  const auto may = may_add(file.services[0], at(GetParam().endpoint), GetParam().backend, own);
  if (GetParam().says[0] == '\0') {
    EXPECT_TRUE(may) << may.error().message();
    return;
  }
  ASSERT_FALSE(may);
  EXPECT_NE(may.error().message().find(GetParam().says), std::string::npos)
      << may.error().message();
  EXPECT_NE(may.error().message().find("; accepted: "), std::string::npos);
}

void nothing(ServiceConfig&) {}
void tells(ServiceConfig& service) {
  for (BackendConfig& backend : service.vm) {
    backend.workers = 4;
    backend.capacity_rps = 50;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Cases, MayAdd,
    testing::Values(
        AddCase{"AnAddress", nothing, "198.51.100.13:80", {}, ""},
        AddCase{"OneOfTheOtherTier", nothing, "203.0.113.1:80", {}, "which is in tier serverless"},
        AddCase{"TheOtherFamily", nothing, "[2001:db8::1]:80", {}, "of the other family"},
        AddCase{"TheFrontend", nothing, "192.0.2.10:80", {}, "the frontend of service \"web\""},
        AddCase{"ANatPort", nothing, "192.0.2.10:10240", {}, "a SNAT address and port"},
        AddCase{"ServerlessOnThisHost",
                nothing,
                "192.0.2.10:81",
                {FLARE_TIER_SERVERLESS, 1, 0, 0},
                "an address of another host"},
        AddCase{"ServerlessWithWorkers",
                nothing,
                "203.0.113.2:80",
                {FLARE_TIER_SERVERLESS, 1, 4, 0},
                "of a serverless backend"},
        AddCase{"VmAtAReceiver",
                [](ServiceConfig& service) { service.placement = FLARE_PLACEMENT_RECEIVER; },
                "198.51.100.13:80",
                {},
                "whose VM tier is this host"},
        AddCase{"OneTooMany",
                [](ServiceConfig& service) { service.vm.resize(kTierBackendsMax); },
                "198.51.100.13:80",
                {},
                "at most 1024"},
        AddCase{"WorkersThatOthersDoNotTell",
                nothing,
                "198.51.100.13:80",
                {FLARE_TIER_VM, 1, 4, 0},
                "workers, which its other VM backends do not have"},
        AddCase{"CapacityThatOthersDoNotTell",
                nothing,
                "198.51.100.13:80",
                {FLARE_TIER_VM, 1, 0, 50},
                "capacity_rps, which its other VM backends do not"},
        AddCase{"WithWhatOthersTell", tells, "198.51.100.13:80", {FLARE_TIER_VM, 1, 4, 50}, ""},
        AddCase{"WithoutWorkersThatOthersTell",
                tells,
                "198.51.100.13:80",
                {FLARE_TIER_VM, 1, 0, 50},
                "no workers, which its other VM backends have"},
        AddCase{"WithoutCapacityThatOthersTell",
                tells,
                "198.51.100.13:80",
                {FLARE_TIER_VM, 1, 4, 0},
                "no capacity_rps, which its other VM backends have"},
        AddCase{"TheFirstWithWorkers",
                [](ServiceConfig& service) { service.vm.clear(); },
                "198.51.100.13:80",
                {FLARE_TIER_VM, 1, 4, 0},
                ""},
        AddCase{"WorkersThatTheServiceTells",
                [](ServiceConfig& service) { service.workers = 8; },
                "198.51.100.13:80",
                {FLARE_TIER_VM, 1, 4, 0},
                "and the service has its own"},
        AddCase{"TheFirstWithoutWhatTheFormulaNeeds",
                [](ServiceConfig& service) {
                  service.vm.clear();
                  service.policy = FLARE_POLICY_FORMULA;
                },
                "198.51.100.13:80",
                {FLARE_TIER_VM, 1, 4, 0},
                "formula without capacity_rps"},
        AddCase{"TheFirstWithoutWhatTheCapNeeds",
                [](ServiceConfig& service) {
                  service.vm.clear();
                  service.counting = FLARE_COUNTING_REPORTED;
                },
                "198.51.100.13:80",
                {},
                "counting reported with policy cap and without workers"},
        AddCase{"WorkersOfUdp",
                [](ServiceConfig& service) {
                  service.vm.clear();
                  service.policy = FLARE_POLICY_OBSERVE;
                  service.protocol = Protocol::kUdp;
                },
                "198.51.100.13:80",
                {FLARE_TIER_VM, 1, 4, 0},
                "workers for UDP"}),
    [](const auto& one) { return std::string(one.param.name); });

constexpr std::optional<std::optional<std::uint32_t>> kWorkersAsConfigured(std::in_place,
                                                                           std::nullopt);
constexpr std::optional<std::optional<double>> kCapacityAsConfigured(std::in_place, std::nullopt);

TEST(MaySet, FiguresThatNoBackendTellsAndThePolicyCanBeWithout) {
  ServiceConfig service = config().services[0];
  EXPECT_TRUE(may_set(service, {.workers = {{8}}, .capacity_rps = {}}, service));
  service.policy = FLARE_POLICY_FORMULA;
  EXPECT_FALSE(may_set(service, {.workers = {}, .capacity_rps = kCapacityAsConfigured}, service));
  ServiceConfig next = service;
  next.vm.clear();
  EXPECT_TRUE(may_set(service, {.workers = {{8}}, .capacity_rps = {}}, next)) << "to be added";
  tells(service);
  EXPECT_FALSE(may_set(service, {.workers = {{8}}, .capacity_rps = {}}, service));
  EXPECT_FALSE(may_set(service, {.workers = {}, .capacity_rps = {{8.0}}}, service));
  EXPECT_TRUE(may_set(service, {.workers = kWorkersAsConfigured, .capacity_rps = {}}, service));
  ServiceConfig udp = config().services[0];
  udp.protocol = Protocol::kUdp;
  next = udp;
  next.workers = 8;
  EXPECT_FALSE(may_set(udp, {.workers = {{8}}, .capacity_rps = {}}, next));
}

TEST(Sums, AreOfTheUsableAndOneThatTellsNothingIsAsTheOthers) {
  ServiceConfig service = config().services[0];
  tells(service);
  service.vm.push_back({at("198.51.100.13:80"), 1, FLARE_BACKEND_ACTIVE});
  using enum BackendUse;
  const auto sum = [&service](std::vector<BackendUse> uses) {
    return vm_capacity(service, uses, {77, 7});
  };
  EXPECT_EQ(sum({kFull, kFull, kNone}), (VmCapacity{8, 100}));
  EXPECT_EQ(sum({kFull, kFull, kFull}), (VmCapacity{12, 150}));
  EXPECT_EQ(sum({kFull, kTrial, kNone}), (VmCapacity{4, 50}));
  EXPECT_EQ(sum({kNone, kTrial, kNone}), (VmCapacity{4, 50}));
  EXPECT_EQ(sum({kNone, kNone, kNone}), (VmCapacity{77, 7}));
  service.vm[0].workers = service.vm[1].workers = 900'000;
  EXPECT_EQ(sum({kFull, kFull, kNone}).workers, 1'000'000U) << "as much as a service may tell";
  for (BackendConfig& backend : service.vm) backend.workers = 0;
  service.workers = 5;
  EXPECT_EQ(sum({kFull, kFull, kFull}).workers, 5U);
}

}  // namespace
}  // namespace flare
