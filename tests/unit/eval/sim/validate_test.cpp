#include "eval/sim/validate.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "eval/sim/tables.h"

namespace flare::eval {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

/// A results folder as the testbed's, whose runs the simulator itself made.
class ValidateTest : public testing::Test {
 protected:
  ValidateTest()
      : folder_(fs::temp_directory_path() / ("flare_validate_" + std::to_string(::getpid()))) {}
  ~ValidateTest() override { fs::remove_all(folder_); }

  static Json run_json(const std::string& policy, std::uint64_t seed) {
    return {{"schema", "flare-eval-run/1"},
            {"policy", policy},
            {"seed", seed},
            {"onset_s", 20},
            {"objective_ms", 400},
            {"capacity_rps", 438.356},
            {"capacity_told_rps", 438.356},
            {"connections", "new"},
            {"functions", "warm"},
            {"slow", nullptr},
            {"clients", "open"},
            {"void", false}};
  }
  static Json load_json(std::uint64_t seed) {
    Json seconds = Json::array();
    for (int second = 0; second < 60; ++second) {
      seconds.push_back({{"rate", second < 20 ? 200 : 520}});
    }
    return {{"run", {{"mode", "open"}, {"seed", seed}, {"lead_in_s", 5}}}, {"seconds", seconds}};
  }
  /// Adds a repetition whose peak is `factor` times the simulated one.
  void add(const std::string& cell, int repetition, const Json& run_of_it, double factor = 1) {
    Json load = load_json(run_of_it["seed"].get<std::uint64_t>());
    const auto config = config_of_run(run_of_it, load, {});
    ASSERT_TRUE(config);
    const RunOutcome outcome = run(*config);
    load["peak"] = {{"p95_ms", peak_p95(outcome) * factor},
                    {"seconds_p95_over", seconds_over(outcome)}};
    load["total"] = {{"serverless", spilled(outcome)}};
    const fs::path place = folder_ / "runs" / cell / std::to_string(repetition);
    fs::create_directories(place);
    std::ofstream(place / "run.json") << run_of_it;
    std::ofstream(place / "load.json") << load;
  }

  fs::path folder_;
};

TEST_F(ValidateTest, RunsThatAreAlikeAreWithinTheBound) {
  add("bookinfo.spike.open.new.warm.cap", 1, run_json("cap", 1));
  add("bookinfo.spike.open.new.warm.cap", 2, run_json("cap", 2));
  add("bookinfo.spike.open.new.warm.l7", 1, run_json("l7", 1), 1.1);
  const auto validation = validate(folder_.string(), {});
  ASSERT_TRUE(validation);
  EXPECT_EQ(validation->cells, 2);
  EXPECT_EQ(validation->outside, 0);
  const auto& rows = validation->table.rows;
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0][1], "2");
  EXPECT_EQ(rows[0][4], "+0.0 %");
  EXPECT_NE(rows[0][8], "0") << "something was spilled";
  EXPECT_EQ(rows[0][8], rows[0][9]);
  EXPECT_EQ(rows[1][4], "-9.1 %");
}

TEST_F(ValidateTest, RunsThatDifferAreNot) {
  add("bookinfo.spike.open.new.warm.cap", 1, run_json("cap", 1), 1.3);
  add("bookinfo.spike.open.new.warm.l7", 1, run_json("l7", 1), 0.8);
  const auto validation = validate(folder_.string(), {});
  ASSERT_TRUE(validation);
  EXPECT_EQ(validation->outside, 2);
  EXPECT_EQ(validation->table.rows[0][5], "no");
}

TEST_F(ValidateTest, VoidRunsDoNotCount) {
  Json is_void = run_json("cap", 1);
  is_void["void"] = true;
  add("bookinfo.spike.open.new.warm.cap", 1, is_void, 2);
  EXPECT_FALSE(validate(folder_.string(), {}));
  add("bookinfo.spike.open.new.warm.cap", 2, run_json("cap", 2));
  const auto validation = validate(folder_.string(), {});
  ASSERT_TRUE(validation);
  EXPECT_EQ(validation->table.rows[0][1], "1");
  EXPECT_EQ(validation->outside, 0);
}

TEST_F(ValidateTest, SaysWhichFileIsBroken) {
  EXPECT_FALSE(validate(folder_.string(), {}));
  add("bookinfo.spike.open.new.warm.cap", 1, run_json("cap", 1));
  const fs::path file = folder_ / "runs/bookinfo.spike.open.new.warm.cap/1/load.json";
  std::ofstream(file) << "{}";
  const auto broken = validate(folder_.string(), {});
  ASSERT_FALSE(broken);
  EXPECT_NE(broken.error().message().find("bookinfo.spike.open.new.warm.cap/1"), std::string::npos);
}

TEST(ConfigOfRun, IsTheTestbedsRun) {
  Json run{{"policy", "over-provisioned"},
           {"seed", 7},
           {"onset_s", 30},
           {"objective_ms", 400},
           {"capacity_rps", 1280},
           {"capacity_told_rps", 1536},
           {"connections", "pool=9"},
           {"functions", "cold"},
           {"select", "hash"},
           {"slow", {{"from_s", 40}, {"to_s", 50.5}, {"factor", 2}}}};
  const Json load{{"run", {{"mode", "users"}, {"seed", 8}, {"lead_in_s", 5}}},
                  {"seconds", {{{"rate", 200.5}}, {{"rate", 210}}}}};
  const auto config = config_of_run(run, load, {});
  ASSERT_TRUE(config);
  const MachineConfig& machines = config->node.machines;
  EXPECT_EQ(machines.pods, 16);
  EXPECT_DOUBLE_EQ(machines.mean_ms, 50);
  EXPECT_FALSE(machines.least);
  EXPECT_EQ(machines.slow.to_ns, 50'500'000'000);
  EXPECT_DOUBLE_EQ(config->node.told, 1.2);
  EXPECT_EQ(config->node.seed, 7U);
  EXPECT_EQ(config->node.connections.text(), "pool=9");
  EXPECT_EQ(config->node.functions.cold_ms, 250);
  EXPECT_TRUE(config->load.users);
  EXPECT_EQ(config->load.seed, 8U);
  EXPECT_EQ(config->load.lead_in, 5);
  EXPECT_EQ(config->load.rates, (std::vector<double>{200.5, 210}));
  run["policy"] = "magic";
  EXPECT_FALSE(config_of_run(run, load, {}));
}

}  // namespace
}  // namespace flare::eval
