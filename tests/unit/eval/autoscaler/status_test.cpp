#include "eval/autoscaler/status.h"

#include <gtest/gtest.h>

namespace flare::eval {
namespace {

TEST(ParseStatus, ReadsTheServiceOfFlarectl) {
  const auto status = parse_status(R"({"schema_version": 1, "command": "service show", "service": {
      "share_applied": 0.25, "cap": 48, "arrivals_rps": 490.5, "capacity_rps": 403.2,
      "tiers": {"vm": {"in_flight": 47}, "serverless": {"in_flight": 9}}}})");
  ASSERT_TRUE(status) << status.error().message();
  EXPECT_EQ(status->share, 0.25);
  EXPECT_EQ(status->cap, 48U);
  EXPECT_EQ(status->arrivals_rps, 490.5);
  EXPECT_EQ(status->capacity_rps, 403.2);
  EXPECT_EQ(status->in_flight_vm, 47U);
  EXPECT_EQ(status->in_flight_serverless, 9U);
}

TEST(ParseStatus, NoCapIsMissingAndNotZero) {
  const auto status =
      parse_status(R"({"service": {"cap": 0, "tiers": {"vm": {"in_flight": -1}}}})");
  ASSERT_TRUE(status);
  EXPECT_FALSE(status->cap);
  EXPECT_FALSE(status->arrivals_rps);
  EXPECT_EQ(status->in_flight_vm, 0U) << "counters of several CPUs, added up while they change";
}

TEST(ParseStatus, ReadsALineOfTheL7Controller) {
  const auto status =
      parse_status(R"({"share": 0.1, "cap": null, "arrivals_rps": 480, "in_flight_vm": 40})");
  ASSERT_TRUE(status);
  EXPECT_EQ(status->share, 0.1);
  EXPECT_EQ(status->arrivals_rps, 480);
  EXPECT_EQ(status->in_flight_vm, 40U);
  const auto line = to_json(*status, 1.5);
  EXPECT_EQ(line["t_s"], 1.5);
  EXPECT_TRUE(line["cap"].is_null());
  EXPECT_TRUE(line["in_flight_serverless"].is_null());
}

TEST(ParseStatus, SaysWhatItFoundInstead) {
  EXPECT_EQ(parse_status("cannot reach").error().message(),
            "expected a JSON object, found 'cannot reach'");
}

TEST(OutputOf, GivesAllOfTheOutput) {
  const auto output = output_of({"sh", "-c", "printf 'a b'; head -c 100000 /dev/zero"});
  ASSERT_TRUE(output) << output.error().message();
  EXPECT_EQ(output->substr(0, 3), "a b");
  EXPECT_EQ(output->size(), 100'003U);
}

TEST(OutputOf, FailsWithTheCommand) {
  EXPECT_FALSE(output_of({"sh", "-c", "echo half; exit 3"}));
  EXPECT_FALSE(output_of({"/no/such/command"}));
  EXPECT_FALSE(output_of({}));
}

}  // namespace
}  // namespace flare::eval
