// Commands on real maps: exit codes, JSON keys and values, and what people read.
#include <net/if.h>

#include "flarectl_test.h"
#include "one_answer.h"

namespace flare::ctl {
namespace {

class CommandTest : public FlarectlTest {};

TEST_F(CommandTest, EveryReadingCommandGivesOneJsonDocumentWithItsVersion) {
  for (const char* line : {"status", "service list", "service show web", "backend list",
                           "flow list", "flow count", "counters", "counters --service web", "nat",
                           "simulate --src 203.0.113.1:1 --dst 192.0.2.10:80", "doctor"}) {
    Ran ran = flarectl(std::string("-o json ") + line);
    Json document = ran.json();
    EXPECT_EQ(document["schema_version"], 1) << line;
    EXPECT_EQ(std::string(line).rfind(document["command"].get<std::string>(), 0), 0U) << line;
    EXPECT_TRUE(ran.code == kOk || ran.code == kDegraded) << line << ": " << ran.err;
  }
}

TEST_F(CommandTest, StatusIsWellWhenAttachedAndTended) {
  Ran ran = flarectl("-o json status");
  EXPECT_EQ(ran.code, kOk);
  Json status = ran.json();
  EXPECT_EQ(status["agent"], "tends");
  EXPECT_EQ(status["control"], "none");
  EXPECT_EQ(status["problems"], Json::array());
  ASSERT_EQ(status["interfaces"].size(), 2U);
  const Json& xdp =
      status["interfaces"][0]["mode"] == "xdp" ? status["interfaces"][0] : status["interfaces"][1];
  EXPECT_EQ(xdp["interface"], "fc1");
  ASSERT_EQ(xdp["hooks"].size(), 3U);
  EXPECT_EQ(xdp["hooks"][0]["hook"], "xdp");
  EXPECT_EQ(xdp["hooks"][0]["program_name"], "flare_xdp");
  EXPECT_EQ(xdp["hooks"][0]["program_id"], datapath_->program_id(FLARE_HOOK_XDP));
  EXPECT_EQ(xdp["hooks"][0]["ours"], true);
}

TEST_F(CommandTest, StatusIsDegradedWhenTheAgentIsSilent) {
  maps().heartbeat.set(0, &flare_heartbeat::beat_ns, MonotonicClock().now_ns() - 60 * kSecondNs);
  Ran ran = flarectl("-o json status");
  EXPECT_EQ(ran.code, kDegraded);
  EXPECT_EQ(ran.json()["agent"], "silent");
  EXPECT_NE(ran.json()["problems"][0].get<std::string>().find("fallback"), std::string::npos);
}

TEST_F(CommandTest, StatusIsDegradedWhenAHookIsGone) {
  ASSERT_TRUE(run("ip link del fc0"));
  Ran ran = flarectl("-o json status");
  EXPECT_EQ(ran.code, kDegraded);
  EXPECT_EQ(ran.json()["problems"].size(), 2U);
}

TEST_F(CommandTest, MissingMapsAreExitCodeFourAndSayWhatToDo) {
  for (const char* line : {"status", "service list", "flow count", "counters", "nat"}) {
    Ran ran = run_line(std::string("--pin-dir /sys/fs/bpf/flare-fc-nowhere ") + line);
    EXPECT_EQ(ran.code, kMaps) << line;
    EXPECT_EQ(ran.out, "");
    EXPECT_NE(ran.err.find("systemctl start flared"), std::string::npos) << ran.err;
  }
}

TEST_F(CommandTest, UnknownNamesAreExitCodeSixAndNameTheKnownOnes) {
  for (const char* line : {"service show nosuch", "backend list --service nosuch",
                           "flow list --service nosuch", "counters --service nosuch"}) {
    Ran ran = flarectl(line);
    EXPECT_EQ(ran.code, kNotFound) << line;
    EXPECT_NE(ran.err.find("there is dns6, web"), std::string::npos) << ran.err;
  }
}

TEST_F(CommandTest, WrongUsageIsExitCodeTwo) {
  for (const char* line :
       {"", "bogus", "service", "-o xml status", "share set web 1.5", "share set web -0.1",
        "share set web nan", "simulate --src 192.0.2.1 --dst 192.0.2.2:80",
        "simulate --src 192.0.2.1:1 --dst [2001:db8::1]:80", "detach", "backend drain web nowhere",
        "counters --watch 0", "report web", "report", "report web --in-flight -1",
        "report web --requests many"}) {
    Ran ran = flarectl(line);
    EXPECT_EQ(ran.code, kUsage) << line;
    EXPECT_EQ(ran.out, "") << line;
    EXPECT_NE(ran.err, "") << line;
  }
}

TEST_F(CommandTest, ServiceShowHasEveryFigure) {
  Json service = flarectl("-o json service show web").json()["service"];
  EXPECT_EQ(service["frontend"], "192.0.2.10:80");
  EXPECT_EQ(service["share_applied"], 0.25);
  EXPECT_EQ(service["capacity_rps"], 438.0);
  EXPECT_EQ(service["tiers"]["vm"]["flows_new"], 26'000);
  EXPECT_EQ(service["tiers"]["serverless"]["flows_new"], 4720);
  EXPECT_EQ(service["spilled"],
            (Json{{"share", 4700}, {"bucket", 20}, {"cap", 0}, {"chain", 0}, {"no-vm", 0}}));
  EXPECT_EQ(service["tiers"]["vm"]["requests"], 25'007);
  EXPECT_EQ(service["tiers"]["vm"]["in_flight"], 7);
  EXPECT_EQ(service["tiers"]["vm"]["request"]["count"], 25'000);
  EXPECT_NEAR(service["tiers"]["vm"]["request"]["p50_ns"].get<double>(), 71.3e6, 1e6);
  EXPECT_TRUE(service["tiers"]["serverless"]["request"]["p50_ns"].is_null());
  EXPECT_EQ(service["refused"]["spend-rate"], 17);
  EXPECT_EQ(service["active"], 3);
  EXPECT_EQ(service["snat"], Json::array({"192.0.2.10"}));
  EXPECT_NEAR(service["worst_cost_per_hour_usd"].get<double>(), 500'000 * 2629e-9, 1e-9);
}

TEST_F(CommandTest, ServiceShowSaysHowTheCapIsKnown) {
  FilledService web = usual_service("web", "192.0.2.10:80", 6, 0);
  web.service.policy = FLARE_POLICY_CAP;
  ASSERT_TRUE(put_service(maps(), web));
  EXPECT_NE(flarectl("service show web").out.find("not learned yet"), std::string::npos);
  EXPECT_TRUE(flarectl("-o json service show web").json()["service"]["base_ns"].is_null());
  web.service.workers = 32;
  web.service.cap = 48;
  web.info.workers_learned = 1;
  web.info.base_ns = 73'000'000;
  web.info.pinned = FLARE_SHARE_ONE / 8;
  ASSERT_TRUE(put_service(maps(), web));
  Json service = flarectl("-o json service show web").json()["service"];
  EXPECT_EQ(service["workers_learned"], true);
  EXPECT_EQ(service["base_ns"], 73'000'000);
  EXPECT_EQ(service["pinned_share"], 0.125);
  const std::string page = flarectl("service show web").out;
  EXPECT_NE(page.find("48 in flight for 32 workers, learned: a request that waits for nobody takes "
                      "73.0 ms; 0 requests found them all busy"),
            std::string::npos)
      << page;
  EXPECT_NE(page.find("7 in the VM tier, 0 in serverless"), std::string::npos) << page;
  EXPECT_NE(page.find("12.5 % of requests are on connections from before"), std::string::npos);
  EXPECT_NE(page.find("438/s, learned; bucket"), std::string::npos) << page;
  web.info.workers_learned = 0;
  ASSERT_TRUE(put_service(maps(), web));
  EXPECT_NE(flarectl("service show web").out.find("48 in flight for 32 workers, told; 0"),
            std::string::npos);
}

TEST_F(CommandTest, ServiceShowWarnsOfRequestsThatPacketsDoNotShow) {
  EXPECT_EQ(flarectl("-o json service show web").json()["service"]["warnings"], Json::array());
  maps().admission.visit(0, [](flare_admission& row) { row.speaks = FLARE_CLASS_TLS_MUX; });
  for (int i = 0; i < 5; ++i) {
    maps().service_counters.bump(
        0, [](auto& row) -> auto& { return row.connections[FLARE_CLASS_TLS_MUX]; });
  }
  const std::string told =
      "HTTP/2 inside TLS cannot be counted from packets: 5 connections; use counting: connections "
      "or reported";
  Json service = flarectl("-o json service show web").json()["service"];
  EXPECT_EQ(service["warnings"], Json::array({told}));
  EXPECT_EQ(service["class"], "tls-mux");
  const std::string page = flarectl("service show web").out;
  EXPECT_NE(page.find(told), std::string::npos) << page;
  EXPECT_NE(page.find("tls-mux; connections: tls-mux 5"), std::string::npos) << page;
  EXPECT_NE(flarectl("service list").out.find(" tls-mux "), std::string::npos);
  FilledService web = usual_service("web", "192.0.2.10:80", 6, 0);
  web.service.counting = FLARE_COUNTING_CONNECTIONS;
  ASSERT_TRUE(put_service(maps(), web));
  EXPECT_EQ(flarectl("-o json service show web").json()["service"]["warnings"], Json::array());
  EXPECT_NE(flarectl("service list").out.find(" connections "), std::string::npos);
}

TEST_F(CommandTest, ServiceShowTellsTheAgeOfAReport) {
  FilledService web = usual_service("web", "192.0.2.10:80", 6, 0);
  web.service.counting = FLARE_COUNTING_REPORTED;
  web.info.reported_ns = 0;
  ASSERT_TRUE(put_service(maps(), web));
  Json service = flarectl("-o json service show web").json()["service"];
  EXPECT_TRUE(service["reported_age_ns"].is_null());
  ASSERT_EQ(service["warnings"].size(), 1U);
  EXPECT_NE(service["warnings"][0].get<std::string>().find("(last: never)"), std::string::npos);
  maps().admission.set(0, &flare_admission::reported, 21);
  web.info.reported_ns = MonotonicClock().now_ns() - kSecondNs;
  ASSERT_TRUE(put_service(maps(), web));
  service = flarectl("-o json service show web").json()["service"];
  EXPECT_NEAR(service["reported_age_ns"].get<double>(), 1e9, 0.9e9);
  EXPECT_EQ(service["reported_in_flight"], 21);
  EXPECT_EQ(service["warnings"], Json::array());
  std::string page = flarectl("service show web").out;
  EXPECT_NE(page.find("21 as reported; packets show 7 in the VM tier"), std::string::npos) << page;
  EXPECT_NE(page.find("reported by the service, 1"), std::string::npos) << page;
  web.info.reported_ns = MonotonicClock().now_ns() - 60 * kSecondNs;
  ASSERT_TRUE(put_service(maps(), web));
  page = flarectl("service show web").out;
  EXPECT_NE(page.find("does not report its load (last: 1 min"), std::string::npos) << page;
}

TEST_F(CommandTest, ServiceShowSaysWhyItSpillsAndWhatTheLastSpillCameTo) {
  EXPECT_TRUE(flarectl("-o json service show web").json()["service"]["last_spill_start"].is_null());
  flare_spill_event event{};
  event.kind = FLARE_SPILL_EVENT_START;
  event.at_ns = MonotonicClock().now_ns() - 12 * kSecondNs;
  event.arrivals_mrps = 520'000;
  event.capacity_mrps = 438'000;
  event.in_flight = 48;
  event.flows[FLARE_SPILL_CAP] = 12;
  std::string("web").copy(event.name, sizeof(event.name));
  ASSERT_OK(maps().add_spill_event(event));
  Json start = flarectl("-o json service show web").json()["service"]["last_spill_start"];
  EXPECT_EQ(start["spilled"]["cap"], 12);
  std::string page = flarectl("service show web").out;
  EXPECT_NE(page.find("cap: 12 flows in the interval that began it, 48 requests in flight, 520/s "
                      "arriving, capacity 438/s"),
            std::string::npos)
      << page;
  event.kind = FLARE_SPILL_EVENT_END;
  event.at_ns = MonotonicClock().now_ns() - 65 * kSecondNs;
  event.flows[0] = 345;
  event.lasted_ns = 30 * kSecondNs;
  event.price_nanousd = 345 * 2629;
  ASSERT_OK(maps().add_spill_event(event));
  FilledService web = usual_service("web", "192.0.2.10:80", 6, 0);
  web.info.spilling_since_ns = 0;
  ASSERT_TRUE(put_service(maps(), web));
  page = flarectl("service show web").out;
  EXPECT_NE(page.find("ended 1 min 5 s ago after 30 s: 345 flows, $"), std::string::npos) << page;
  EXPECT_EQ(page.find("in the interval that began it"), std::string::npos);
  EXPECT_EQ(flarectl("-o json service show web").json()["service"]["last_spill_end"]["flows"], 345);
}

TEST_F(CommandTest, SpillsAreListedOldestFirstAlsoWhereTheRingHasTurned) {
  EXPECT_EQ(flarectl("spills").out, "no spill is remembered\n");
  flare_spill_event event{};
  event.kind = FLARE_SPILL_EVENT_START;
  event.at_ns = MonotonicClock().now_ns() - 90 * kSecondNs;
  event.arrivals_mrps = 520'000;
  event.in_flight = 48;
  event.flows[FLARE_SPILL_CAP] = 12;
  std::string("web").copy(event.name, sizeof(event.name));
  for (std::uint32_t i = 0; i < FLARE_SPILL_EVENTS + 2; ++i) {
    ASSERT_OK(maps().add_spill_event(event));
  }
  Json events = flarectl("-o json spills --service web").json()["events"];
  ASSERT_EQ(events.size(), std::size_t{FLARE_SPILL_EVENTS});
  EXPECT_EQ(events.front()["number"], 3);
  EXPECT_EQ(events.back()["number"], FLARE_SPILL_EVENTS + 2);
  EXPECT_EQ(events.back()["spilled"],
            (Json{{"share", 0}, {"bucket", 0}, {"cap", 12}, {"chain", 0}, {"no-vm", 0}}));
  EXPECT_EQ(flarectl("-o json spills --service api").json()["events"].size(), 0U);
  EXPECT_NE(flarectl("spills").out.find("web      start  cap       520/s"), std::string::npos)
      << flarectl("spills").out;
}

TEST_F(CommandTest, TheWorstCostKnowsTheRateLimitToo) {
  FilledService web = usual_service("web", "192.0.2.10:80", 6, 0);
  web.service.hour_budget = 1'000'000'000;
  web.service.spend_interval_ns = kSecondNs;
  web.service.spend_depth_ns = 10 * kSecondNs;
  ASSERT_TRUE(put_service(maps(), web));
  Json service = flarectl("-o json service show web").json()["service"];
  EXPECT_NEAR(service["worst_cost_per_hour_usd"].get<double>(), 3610 * 2629e-9, 1e-9);
}

TEST_F(CommandTest, TheShareOfAPrefixIsShownWhereThereIsOne) {
  EXPECT_TRUE(
      flarectl("-o json service show web").json()["service"]["prefix_per_second"].is_null());
  EXPECT_EQ(flarectl("service show web").out.find("/24"), std::string::npos);
  FilledService web = usual_service("web", "192.0.2.10:80", 6, 0);
  web.service.prefix_interval_ns = kSecondNs / 50;
  web.service.prefix_depth_ns = kSecondNs;
  ASSERT_TRUE(put_service(maps(), web));
  Json service = flarectl("-o json service show web").json()["service"];
  EXPECT_EQ(service["spend_per_second"], 500);
  EXPECT_EQ(service["prefix_per_second"], 50);
  EXPECT_EQ(service["refused"]["spend-prefix"], 0);
  EXPECT_EQ(service["refused"]["flood"], 0);
  const std::string text = flarectl("service show web").out;
  EXPECT_NE(text.find("50.0/s, at once 50"), std::string::npos) << text;
}

TEST_F(CommandTest, TheFloodRateIsShown) {
  EXPECT_EQ(flarectl("-o json status").json()["flood_rate"], 0);
  flare_settings settings = usual_settings();
  settings.flood_rate = 125'000;
  ASSERT_TRUE(maps().settings.update(0, settings));
  EXPECT_EQ(flarectl("-o json status").json()["flood_rate"], 125'000);
  EXPECT_NE(flarectl("status").out.find("above 125k/s new flows"), std::string::npos)
      << flarectl("status").out;
}

TEST_F(CommandTest, OnlyThisHoursSpillsCountAgainstTheBudget) {
  std::uint64_t hour = MonotonicClock().now_ns() / (3600 * kSecondNs);
  maps().admission.set(0, &flare_admission::hour, hour << 40 | 1234);
  EXPECT_EQ(flarectl("-o json service show web").json()["service"]["hour_used"], 1234);
  maps().admission.set(0, &flare_admission::hour, (hour + 1) << 40 | 1234);
  EXPECT_EQ(flarectl("-o json service show web").json()["service"]["hour_used"], 0);
}

TEST_F(CommandTest, BackendsAreListedWithStateAndWeight) {
  Json all = flarectl("-o json backend list").json()["backends"];
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[1]["backend"], "198.51.100.2:8080");
  EXPECT_EQ(all[1]["state"], "draining");
  EXPECT_EQ(all[0]["weight"], 3);
  EXPECT_EQ(flarectl("-o json backend list --service dns6").json()["backends"].size(), 1U);
}

TEST_F(CommandTest, BackendsShowWhatIsGoingOnThere) {
  auto backend = *maps().backends.lookup(1);
  backend.tier = FLARE_TIER_VM;
  backend.flags = FLARE_BACKEND_LOCAL;
  ASSERT_OK(maps().backends.update(1, backend));
  maps().backend_loads.visit(1, [](flare_backend_load& load) { load = {4, 9}; });
  for (std::uint32_t cpu : {0U, 0U, maps().cpus() - 1}) {
    const std::uint32_t row = cpu * maps().backends_max() + 1;
    maps().backend_counters.add(row, &flare_backend_counters::accepted, 10);
    maps().backend_counters.add(row, &flare_backend_counters::refused, 1);
  }
  Json one = flarectl("-o json backend list").json()["backends"][0];
  EXPECT_EQ(one["tier"], "vm");
  EXPECT_EQ(one["local"], true);
  EXPECT_EQ(one["in_flight"], 4);
  EXPECT_EQ(one["active"], 9);
  EXPECT_EQ(one["accepted"], 30);
  EXPECT_EQ(one["refused"], 3);
  EXPECT_NE(flarectl("backend list").out.find("198.51.100.1:8080 (local)"), std::string::npos);
}

TEST_F(CommandTest, ServicesShowWhereFlareSitsAndHowFlowsAreSentOn) {
  EXPECT_EQ(flarectl("service show web").out.find("sending"), std::string::npos) << "all is usual";
  FilledService web = usual_service("web", "192.0.2.10:80", 6, 0);
  web.service.placement = FLARE_PLACEMENT_BALANCER;
  web.service.snat_mode = FLARE_SNAT_AUTO;
  web.service.select = FLARE_SELECT_LEAST;
  web.service.chain = FLARE_CHAIN_STAY;
  web.service.affinity_ns = 90 * kSecondNs;
  ASSERT_TRUE(put_service(maps(), web));
  Json service = flarectl("-o json service show web").json()["service"];
  EXPECT_EQ(service["placement"], "balancer");
  EXPECT_EQ(service["snat_mode"], "auto");
  EXPECT_EQ(service["select"], "least");
  EXPECT_EQ(service["chain"], "stay");
  EXPECT_EQ(service["affinity_ns"], 90 * kSecondNs);
  const std::string page = flarectl("service show web").out;
  EXPECT_NE(
      page.find("snat of the VM tier auto; backends by least; affinity 1 min 30 s; chain stay"),
      std::string::npos)
      << page;
  EXPECT_NE(flarectl("service list").out.find(" balancer "), std::string::npos);
  EXPECT_NE(flarectl("status").out.find(" balancer "), std::string::npos);
  EXPECT_EQ(flarectl("-o json status").json()["services"][1]["placement"], "balancer");
  Json simulated = flarectl("-o json simulate --src 203.0.113.1:1 --dst 192.0.2.10:80").json();
  EXPECT_EQ(simulated["verdict"], "unknown");
  EXPECT_EQ(simulated["steps"].back()["step"], "placement");
}

TEST_F(CommandTest, FlowsOfTheVmTierHaveNoCause) {
  flare_flow_key key{};
  key.src = endpoint("203.0.113.9:51515").address.raw;
  key.dst = endpoint("192.0.2.10:80").address.raw;
  key.sport = htons(51515);
  key.dport = htons(80);
  key.proto = 6;
  auto flow = maps().flows.lookup(key);
  ASSERT_TRUE(flow);
  flow->tier = FLARE_TIER_VM;
  flow->to_stack = 1;
  ASSERT_OK(maps().flows.update(key, *flow));
  Json one = flarectl("-o json flow list --backend 198.51.100.2:8080").json()["flows"][0];
  EXPECT_EQ(one["tier"], "vm");
  EXPECT_EQ(one["cause"], nullptr);
  EXPECT_EQ(one["to_stack"], true);
}

TEST_F(CommandTest, BackendsHealthAndWorkersAreFlaredsToTell) {
  const std::string socket = testing::TempDir() + "flare-fc-health.sock";
  const std::string answer =
      R"({"ok":true,"old":null,"message":"","new":{"left_out":0,"counts":{},"backends":[)"
      R"({"service":"web","tier":"serverless","backend":"198.51.100.2:8080","health":"down",)"
      R"("reason":"check: Connection refused","weight_part":1.0,"since_s":12.5,)"
      R"("check":"failed: Connection refused","check_s_ago":0.7}]}})"
      "\n";
  const std::string endpoints =
      R"({"ok":true,"old":null,"message":"","new":{"left_out":0,"services":[{"service":"web",)"
      R"("generation":7,"workers":4,"cap":6,"capacity_rps":54.8,"backends":[)"
      R"({"backend":"198.51.100.2:8080","tier":"serverless","state":"active","weight":1,)"
      R"("source":"control-plane","workers":4,"capacity_rps":54.8}]}]}})"
      "\n";
  const auto ask = [&](const std::string& line) {
    OneAnswer flared(socket, std::vector{answer, endpoints});
    return run_line("--pin-dir " + pin_dir_.string() + " --socket " + socket + " " + line);
  };
  const Json all = ask("-o json backend list").json()["backends"];
  ASSERT_EQ(all.size(), 3U);
  EXPECT_TRUE(all[0]["health"].is_null());
  EXPECT_EQ(all[1]["health"]["reason"], "check: Connection refused");
  EXPECT_TRUE(all[0]["source"].is_null());
  EXPECT_TRUE(all[0]["workers"].is_null());
  EXPECT_EQ(all[1]["source"], "control-plane");
  EXPECT_EQ(all[1]["workers"], 4);
  EXPECT_EQ(all[1]["capacity_rps"], 54.8);
  const Ran table = ask("backend list --service web");
  EXPECT_NE(table.out.find("down for 13 s: check: Connection refused"), std::string::npos)
      << table.out;
  EXPECT_NE(table.out.find("54.8  control-plane"), std::string::npos) << table.out;
  const Ran without = flarectl("backend list");
  EXPECT_EQ(without.code, kOk) << without.err;
  EXPECT_EQ(without.err, "");
}

TEST_F(CommandTest, FlowsAreListedFilteredAndCounted) {
  Json flows = flarectl("-o json flow list").json();
  ASSERT_EQ(flows["flows"].size(), 3U);
  EXPECT_EQ(flows["truncated"], false);
  EXPECT_EQ(flows["flows"][0]["state"], "established");
  EXPECT_EQ(flows["flows"][0]["bytes_out"], 92'400);
  flows = flarectl("-o json flow list --backend 198.51.100.2:8080").json();
  ASSERT_EQ(flows["flows"].size(), 1U);
  EXPECT_EQ(flows["flows"][0]["client"], "203.0.113.9:51515");
  EXPECT_EQ(flows["flows"][0]["snat"], "192.0.2.10:10300");
  EXPECT_EQ(flarectl("-o json flow list --limit 2").json()["truncated"], true);
  EXPECT_EQ(flarectl("-o json flow list --service dns6").json()["flows"].size(), 0U);
  Json count = flarectl("-o json flow count").json();
  EXPECT_EQ(count["flows"], 3);
  EXPECT_EQ(count["groups"][0]["by_state"]["established"], 2);
}

TEST_F(CommandTest, TheReasonsOfAHookAddUpToWhatItSaw) {
  Json hooks = flarectl("-o json counters").json()["hooks"];
  for (const auto& [name, hook] : hooks.items()) {
    std::uint64_t by_reason = 0;
    for (const Json& reason : hook["reasons"]) by_reason += reason["count"].get<std::uint64_t>();
    std::uint64_t by_fate = 0;
    for (const auto& [fate, count] : hook["by_fate"].items()) by_fate += count.get<std::uint64_t>();
    EXPECT_EQ(by_reason, hook["seen"]) << name;
    EXPECT_EQ(by_fate, hook["seen"]) << name;
  }
  EXPECT_GE(hooks["tc-ingress"]["seen"], 31'027);
  EXPECT_EQ(hooks["tc-ingress"]["by_fate"]["forward"], 4720);
  EXPECT_EQ(hooks["tc-ingress"]["by_fate"]["drop"], 7);
}

TEST_F(CommandTest, NatCountsPortsByBackendAndAddress) {
  Json nat = flarectl("-o json nat").json();
  EXPECT_EQ(nat["port_min"], 10240);
  ASSERT_EQ(nat["pools"].size(), 2U);
  EXPECT_EQ(nat["pools"][0]["backend"], "198.51.100.1:8080");
  EXPECT_EQ(nat["pools"][0]["ports_used"], 2);
  EXPECT_EQ(nat["pools"][0]["ports"], 19'760);
}

TEST_F(CommandTest, HeadersCanBeLeftOut) {
  Ran with = flarectl("backend list");
  Ran without = flarectl("backend list --no-headers");
  EXPECT_EQ(with.out.substr(0, 7), "SERVICE");
  EXPECT_EQ(without.out.substr(0, 3), "web");
}

TEST_F(CommandTest, ADeadAgentsDatapathIsDetachedDirectly) {
  datapath_.reset();
  Ran one = flarectl("detach --interface fc0 --yes");
  EXPECT_EQ(one.code, kOk);
  EXPECT_NE(one.out.find("detached fc0"), std::string::npos);
  EXPECT_EQ(flarectl("detach --interface fc0 --yes").code, kNotFound);
  Ran all = flarectl("-o json detach --yes");
  EXPECT_EQ(all.code, kOk);
  EXPECT_EQ(all.json()["links"], 3);
  EXPECT_FALSE(std::filesystem::exists(pin_dir_));
}

}  // namespace
}  // namespace flare::ctl
