// The configuration file: what is read from a good one, and what each bad one is told.
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "bad_configs.h"
#include "discovery/file_source.h"

namespace flare {
namespace {

using test::bad_configs;
using test::BadConfig;
using test::kGoodConfig;
using test::test_host;

std::string shown(const Verdict& verdict) { return to_text(verdict.problems, "flare.yaml"); }

TEST(GoodConfig, IsReadWhole) {
  const Verdict verdict = read_config_text(kGoodConfig, test_host());
  ASSERT_TRUE(verdict.config) << shown(verdict);
  const Config& config = *verdict.config;
  ASSERT_EQ(config.interfaces.size(), 1U);
  EXPECT_EQ(config.interfaces[0].name, "eth0");
  EXPECT_EQ(config.interfaces[0].mode, FLARE_ATTACH_AUTO);
  ASSERT_EQ(config.services.size(), 2U);
  const ServiceConfig& web = config.services[0];
  EXPECT_EQ(web.name, "web");
  EXPECT_EQ(web.frontend.text(), "192.0.2.10:80");
  EXPECT_EQ(web.policy, FLARE_POLICY_FORMULA);
  EXPECT_EQ(web.capacity_rps, 438);
  EXPECT_EQ(web.formula.interval, std::chrono::milliseconds(1000));
  EXPECT_EQ(web.spend.per_hour, 100'000U);
  EXPECT_EQ(web.spend.prefix_share, 1) << "one prefix may have all, unless told";
  ASSERT_EQ(web.snat.size(), 2U);
  EXPECT_EQ(web.snat[1].text(), "192.0.2.11");
  ASSERT_EQ(web.serverless.size(), 2U);
  EXPECT_EQ(web.serverless[0].weight, 3U);
  EXPECT_EQ(web.serverless[1].weight, 1U);
  const ServiceConfig& dns = config.services[1];
  EXPECT_EQ(dns.frontend.text(), "[2001:db8::53]:53");
  EXPECT_EQ(dns.protocol, Protocol::kUdp);
  EXPECT_EQ(dns.policy, FLARE_POLICY_OBSERVE) << "the default of UDP";
  EXPECT_EQ(dns.counting, FLARE_COUNTING_AUTO);
  EXPECT_EQ(config.nat.port_max, 29999);
  EXPECT_EQ(config.timeouts.tcp_established, std::chrono::hours(1));
  EXPECT_EQ(config.limits.services, 3U);
  EXPECT_EQ(config.agent.flood_rate, 125'000U);
}

TEST(GoodConfig, BoundsPrefixesAndFloods) {
  std::string text(kGoodConfig);
  text.replace(text.find("burst: 500"), 10, "prefix_share: 0.1");
  text.replace(text.find("log_level: info"), 15, "flood_rate: 0");
  const Verdict verdict = read_config_text(text, test_host());
  ASSERT_TRUE(verdict.config) << shown(verdict);
  EXPECT_EQ(verdict.config->services[0].spend.prefix_share, 0.1);
  EXPECT_EQ(verdict.config->agent.flood_rate, 0U);
}

TEST(GoodConfig, TheExampleIsAccepted) {
  std::ifstream file(FLARE_EXAMPLE);
  std::ostringstream text;
  text << file.rdbuf();
  const Verdict verdict = read_config_text(text.str(), test_host());
  EXPECT_TRUE(verdict.config) << shown(verdict);
}

TEST(GoodConfig, AReservedRangeMayLieInTheEphemeralOne) {
  std::string text(kGoodConfig);
  text.replace(text.find("10240"), 5, "40000");
  text.replace(text.find("29999"), 5, "40009");
  const Verdict verdict = read_config_text(text, test_host());
  EXPECT_TRUE(verdict.config) << shown(verdict);
}

/// The good configuration with `from` replaced in its first service, or the problems.
Verdict changed(std::string_view from, std::string_view to) {
  std::string text(kGoodConfig);
  text.replace(text.find(from), from.size(), to);
  return read_config_text(text, test_host());
}

TEST(GoodConfig, NeedsNoPolicyAndNoWorkers) {
  const Verdict verdict = changed("    policy: formula\n", "");
  ASSERT_TRUE(verdict.config) << shown(verdict);
  EXPECT_EQ(verdict.config->services[0].policy, FLARE_POLICY_CAP);
  EXPECT_EQ(verdict.config->services[0].workers, 0U);
}

TEST(GoodConfig, SaysHowLoadIsCounted) {
  Verdict verdict = changed("policy: formula", "workers: 32\n    counting: connections");
  ASSERT_TRUE(verdict.config) << shown(verdict);
  EXPECT_EQ(verdict.config->services[0].counting, FLARE_COUNTING_CONNECTIONS);
  verdict = changed("policy: formula", "policy: formula\n    counting: reported");
  ASSERT_TRUE(verdict.config) << shown(verdict) << "only a cap needs workers";
  EXPECT_EQ(verdict.config->services[0].counting, FLARE_COUNTING_REPORTED);
}

TEST(GoodConfig, LetsBackendsTellWhatTheyCanDo) {
  const Verdict verdict = changed("    policy: formula\n    capacity_rps: 438\n",
                                  "    policy: formula\n    placement: balancer\n    vm:\n"
                                  "      - {endpoint: 198.51.100.8:80, capacity_rps: 54.8}\n");
  ASSERT_TRUE(verdict.config) << shown(verdict);
  EXPECT_EQ(verdict.config->services[0].capacity_rps, 0);
  EXPECT_EQ(verdict.config->services[0].vm[0].capacity_rps, 54.8);
  EXPECT_EQ(verdict.config->services[0].vm[0].workers, 0U);
}

TEST(GoodConfig, MayLeaveTheVmTierToAControlPlane) {
  for (const char* policy : {"policy: formula", "policy: cap\n    counting: connections"}) {
    const Verdict balancer =
        changed("    policy: formula\n    capacity_rps: 438\n",
                std::string("    ") + policy + "\n    placement: balancer\n" + "    vm: []\n");
    ASSERT_TRUE(balancer.config) << shown(balancer);
    EXPECT_TRUE(balancer.config->services[0].vm.empty());
  }
}

constexpr std::string_view kTwoPlacements = R"(interfaces:
  - name: eth0
  - match: veth[0-9]*
    tc: clsact
serverless_sources: [203.0.113.0/24, "2001:db8:5::/48", 203.0.113.77]
cgroups: [/sys/fs/cgroup/user.slice]
services:
  - name: vip
    frontend: 192.0.2.20:443
    placement: balancer
    workers: 64
    snat: [192.0.2.21]
    snat_mode: auto
    select: least
    chain: stay
    affinity: 10m
    vm:
      - endpoint: 192.0.2.20:8443
      - endpoint: 198.51.100.1:443
        weight: 65535
    serverless: [{endpoint: 198.51.100.20:443}]
    health:
      check: http
      port: 8080
      path: /status?full
      host: web.example
      status: 200-204
      interval: 5s
      timeout: 5s
      rise: 1
      fall: 5
      passive: off
      eject_max: 0.25
      eject_time: 30s
      slow_start: 1m
  - name: cluster
    frontend: 192.0.2.30:12000
    placement: sender
    policy: observe
    vm: [{endpoint: 192.0.2.10:80}]
    health: {check: http, status: 200}
)";

TEST(GoodConfig, HasBalancersAndSenders) {
  const Verdict verdict = read_config_text(kTwoPlacements, test_host());
  ASSERT_TRUE(verdict.config) << shown(verdict);
  const Config& config = *verdict.config;
  ASSERT_EQ(config.interfaces.size(), 2U);
  EXPECT_EQ(config.interfaces[1].name, "");
  EXPECT_EQ(config.interfaces[1].match, "veth[0-9]*");
  ASSERT_EQ(config.serverless_sources.size(), 3U);
  EXPECT_EQ(config.serverless_sources[1].text(), "2001:db8:5::/48");
  EXPECT_EQ(config.serverless_sources[2].text(), "203.0.113.77/32");
  EXPECT_EQ(config.cgroups, std::vector<std::filesystem::path>{"/sys/fs/cgroup/user.slice"});
  const ServiceConfig& vip = config.services[0];
  EXPECT_EQ(vip.placement, FLARE_PLACEMENT_BALANCER);
  EXPECT_EQ(vip.snat_mode, FLARE_SNAT_AUTO);
  EXPECT_EQ(vip.select, FLARE_SELECT_LEAST);
  EXPECT_EQ(vip.chain, FLARE_CHAIN_STAY);
  EXPECT_EQ(vip.affinity, std::chrono::minutes(10));
  ASSERT_EQ(vip.vm.size(), 2U);
  EXPECT_EQ(vip.vm[0].endpoint.text(), "192.0.2.20:8443") << "on this host, behind its own VIP";
  EXPECT_EQ(vip.vm[1].weight, 65535U);
  EXPECT_EQ(vip.serverless.size(), 1U);
  const ServiceConfig& cluster = config.services[1];
  EXPECT_EQ(cluster.placement, FLARE_PLACEMENT_SENDER);
  EXPECT_EQ(cluster.frontend.port, 12000) << "of the NAT range, whose ports a sender does not use";
  EXPECT_EQ(cluster.affinity, std::chrono::milliseconds(0));
}

TEST(GoodConfig, SaysHowHealthIsKnown) {
  const Verdict verdict = read_config_text(kTwoPlacements, test_host());
  ASSERT_TRUE(verdict.config) << shown(verdict);
  const HealthConfig& health = verdict.config->services[0].health;
  EXPECT_EQ(health.check, HealthConfig::Check::kHttp);
  EXPECT_EQ(health.port, 8080);
  EXPECT_EQ(health.path, "/status?full");
  EXPECT_EQ(health.host, "web.example");
  EXPECT_EQ(health.status_min, 200);
  EXPECT_EQ(health.status_max, 204);
  EXPECT_EQ(health.interval, std::chrono::seconds(5));
  EXPECT_EQ(health.timeout, std::chrono::seconds(5));
  EXPECT_EQ(health.rise, 1U);
  EXPECT_EQ(health.fall, 5U);
  EXPECT_FALSE(health.passive);
  EXPECT_EQ(health.eject_max, 0.25);
  EXPECT_EQ(health.eject_time, std::chrono::seconds(30));
  EXPECT_EQ(health.slow_start, std::chrono::minutes(1));
  const HealthConfig& other = verdict.config->services[1].health;
  EXPECT_EQ(other.status_min, 200);
  EXPECT_EQ(other.status_max, 200);
  EXPECT_TRUE(other.passive);
  EXPECT_FALSE(other.port);
}

TEST(GoodConfig, NeedsNoInterfaceWhereCgroupsLeadToEverySender) {
  const std::string services =
      "interfaces: []\ncgroups: [/sys/fs/cgroup]\nservices:\n"
      "  - {name: a, frontend: \"192.0.2.1:80\", placement: sender, policy: observe,"
      " vm: [{endpoint: \"198.51.100.1:80\"}]}\n";
  const Verdict senders = read_config_text(services, test_host());
  EXPECT_TRUE(senders.config) << shown(senders);
  const Verdict mixed = read_config_text(
      services + "  - {name: b, frontend: \"192.0.2.2:80\", policy: observe}\n", test_host());
  ASSERT_EQ(mixed.problems.size(), 1U) << shown(mixed);
  EXPECT_EQ(mixed.problems[0].key, "interfaces");
}

TEST(BadConfig, ATierHasAtMost1024Backends) {
  for (const int count : {1024, 1025}) {
    std::string text =
        "interfaces: [{name: eth0}]\nservices:\n  - name: a\n    frontend: 192.0.2.1:80\n"
        "    placement: balancer\n    policy: observe\n    vm:\n";
    for (int i = 0; i < count; ++i) {
      text += "      - endpoint: 198.51." + std::to_string(i / 250) + "." +
              std::to_string(1 + i % 250) + ":80\n";
    }
    const Verdict verdict = read_config_text(text, test_host());
    EXPECT_EQ(verdict.config.has_value(), count == 1024) << shown(verdict);
    if (count == 1024) continue;
    ASSERT_EQ(verdict.problems.size(), 1U);
    EXPECT_EQ(verdict.problems[0].key, "services[0].vm");
    EXPECT_EQ(verdict.problems[0].what, "found 1025 backends; accepted: at most 1024");
  }
}

class BadConfigs : public testing::TestWithParam<BadConfig> {};

TEST_P(BadConfigs, AreRefusedWithPlaceKeyAndReason) {
  const BadConfig& bad = GetParam();
  ASSERT_TRUE(bad.remove.empty() || kGoodConfig.find(bad.remove) != std::string_view::npos);
  const Verdict verdict = read_config_text(bad.text(), test_host());
  ASSERT_FALSE(verdict.config);
  ASSERT_FALSE(verdict.problems.empty());
  std::string start = "flare.yaml:";
  if (!bad.place.empty()) start += std::string(bad.place) + ":";
  start += " ";
  if (!bad.key.empty()) start += std::string(bad.key) + ": ";
  bool told = false;
  for (const Problem& problem : verdict.problems) {
    const std::string line = to_text(problem, "flare.yaml");
    told = told || (line.starts_with(start) && line.find(bad.says) != std::string::npos);
  }
  EXPECT_TRUE(told) << "wanted: " << start << " ... " << bad.says << "\ngot: " << shown(verdict);
}

INSTANTIATE_TEST_SUITE_P(Cases, BadConfigs, testing::ValuesIn(bad_configs()),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(BadConfig, ThereAreAtLeastTwoHundred) {
  std::set<std::string> texts;
  for (const BadConfig& bad : bad_configs()) texts.insert(bad.text());
  EXPECT_GE(texts.size(), 200U);
  RecordProperty("files", static_cast<int>(texts.size()));
}

TEST(BadConfig, EveryProblemIsToldAtOnce) {
  std::string text(kGoodConfig);
  text.replace(text.find("438"), 3, "0");
  text.replace(text.find("mode: auto"), 10, "mode: fast");
  text.replace(text.find("port_max: 29999"), 15, "port_max: 33000");
  const Verdict verdict = read_config_text(text, test_host());
  ASSERT_EQ(verdict.problems.size(), 3U) << shown(verdict);
  EXPECT_EQ(verdict.problems[0].key, "interfaces[0].mode");
  EXPECT_EQ(verdict.problems[2].key, "nat.port_min");
}

TEST(BadConfig, DeepNestingDoesNotExhaustTheStack) {
  const std::string text = "a: " + std::string(10'000, '[');
  const Verdict verdict = read_config_text(text, test_host());
  EXPECT_FALSE(verdict.config);
  ASSERT_EQ(verdict.problems.size(), 1U);
}

TEST(BadConfig, TheTableInTheDocsIsTheTrueOne) {
  std::ifstream file(FLARE_DOCS_DIR "/configuration-errors.md");
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), test::bad_configs_table())
      << "run print_bad_configs > docs/configuration-errors.md";
}

}  // namespace
}  // namespace flare
