// A set of services over maps in memory, a second at a time.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "fake_tables.h"
#include "service/service_set.h"

namespace flare::test {

inline constexpr std::uint64_t kSecond = 1'000'000'000;
inline constexpr std::uint64_t kStart = 1'000 * kSecond;
inline constexpr HashKey kKey{11, 22};

inline ServiceConfig web() {
  ServiceConfig service;
  service.name = "web";
  service.frontend = *Endpoint::parse("192.0.2.10:80");
  service.policy = FLARE_POLICY_FORMULA;
  service.capacity_rps = 400;
  service.serverless = {{*Endpoint::parse("198.51.100.1:80"), 1, FLARE_BACKEND_ACTIVE},
                        {*Endpoint::parse("198.51.100.2:80"), 1, FLARE_BACKEND_ACTIVE}};
  return service;
}

inline ServiceConfig api() {
  ServiceConfig service = web();
  service.name = "api";
  service.frontend = *Endpoint::parse("192.0.2.10:81");
  service.serverless.resize(1);
  return service;
}

inline Config with(std::vector<ServiceConfig> services) {
  Config config;
  config.services = std::move(services);
  return config;
}

class Services : public testing::Test {
 protected:
  std::unique_ptr<Logger> log_ = make_logger(-1, true);
  FakeTables tables_;
  ServiceSet set_{tables_, *log_, kKey};
  std::uint64_t now_ = kStart;

  void apply(const Config& config) {
    auto applied = set_.apply(config, set_.state(), now_);
    ASSERT_TRUE(applied) << applied.error().message();
  }
  /// One second in which so many flows came to each tier of service 0.
  void second(std::uint64_t vm, std::uint64_t serverless = 0) {
    tables_.counters_[0].tier[FLARE_TIER_VM].requests += vm;
    tables_.counters_[0].tier[FLARE_TIER_SERVERLESS].requests += serverless;
    tables_.counters_[0].spilled[FLARE_SPILL_SHARE] += serverless;
    now_ += kSecond;
    auto ticked = set_.tick(now_, 0);
    ASSERT_TRUE(ticked) << ticked.error().message();
  }
  std::uint64_t share() const { return tables_.only_service().share; }
};

}  // namespace flare::test
