// The control socket's commands: what is understood, refused and answered.
#include "service/commands.h"

#include <gtest/gtest.h>

#include <cmath>

namespace flare {
namespace {

class Recorder final : public Operations {
 public:
  Result<Done> set_share(const std::string& service, std::optional<double> share) override {
    asked = "share " + service + (share ? " " + std::to_string(*share) : " auto");
    return Done{0.0, share.value_or(0), "done"};
  }
  Result<Done> drain(const std::string& service, const Endpoint& backend, bool drained,
                     Generation generation) override {
    asked = (drained ? "drain " : "undrain ") + service + " " + backend.text() + at(generation);
    return Done{"active", "draining", "done"};
  }
  Result<Done> add_backend(const std::string& service, const Endpoint& endpoint,
                           const ToldBackend& backend, Generation generation) override {
    asked = "add " + service + " " + endpoint.text() + " tier " + std::to_string(backend.tier) +
            " weight " + std::to_string(backend.weight) + " workers " +
            std::to_string(backend.workers) + " capacity " +
            std::to_string(std::lround(backend.capacity_rps * 10)) + at(generation);
    return Done{};
  }
  Result<Done> remove_backend(const std::string& service, const Endpoint& endpoint,
                              Generation generation) override {
    asked = "remove " + service + " " + endpoint.text() + at(generation);
    return Done{};
  }
  Result<Done> set_workers(const std::string& service, const WorkersChange& change,
                           Generation generation) override {
    const auto text = [](const auto& figure) {
      if (!figure) return std::string("-");
      return *figure ? std::to_string(std::lround(**figure * 10)) : std::string("configured");
    };
    asked = "workers " + service + " " + text(change.workers) + " " + text(change.capacity_rps) +
            at(generation);
    return Done{};
  }
  Result<Done> endpoints(const std::string& service) override {
    asked = "endpoints " + service;
    return Done{};
  }
  Result<Done> report(const std::string& service, const LoadReport& load) override {
    const auto text = [](const std::optional<std::uint64_t>& count) {
      return count ? std::to_string(*count) : "-";
    };
    asked = "report " + service + " " + text(load.in_flight) + " " + text(load.requests);
    return Done{7, 12, "done"};
  }
  Result<Done> health(const std::string& service) override {
    asked = "health " + service;
    return Done{};
  }
  Result<Done> detach(const std::string& interface) override {
    asked = "detach " + interface;
    return Error("nothing is attached to '\xff'");
  }
  Result<Done> reload() override {
    asked = "reload";
    return Done{};
  }
  Result<Done> ping() override {
    asked = "ping";
    return Done{};
  }
  static std::string at(Generation generation) {
    return generation ? " @" + std::to_string(*generation) : "";
  }
  std::string asked;
};

struct CommandCase {
  const char* name;
  const char* line;
  const char* asked;   ///< of the operations; empty: nothing
  const char* answer;  ///< part of it
};

class Command : public testing::TestWithParam<CommandCase> {};

TEST_P(Command, IsAnswered) {
  Recorder recorder;
  const std::string answer = answer_command(recorder, Peer{1, 0, 0}, GetParam().line);
  EXPECT_EQ(recorder.asked, GetParam().asked);
  EXPECT_NE(answer.find(GetParam().answer), std::string::npos) << answer;
  EXPECT_EQ(answer.find('\n'), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, Command,
    testing::Values(
        CommandCase{"ShareSet", R"({"command":"share-set","service":"web","share":0.25})",
                    "share web 0.250000", R"("new":0.25)"},
        CommandCase{"ShareAuto", R"({"command":"share-auto","service":"web"})", "share web auto",
                    R"("ok":true)"},
        CommandCase{"Drain",
                    R"({"command":"backend-drain","service":"web","backend":"198.51.100.1:80"})",
                    "drain web 198.51.100.1:80", R"("old":"active")"},
        CommandCase{"Undrain",
                    R"({"command":"backend-undrain","service":"w","backend":"[2001:db8::1]:80"})",
                    "undrain w [2001:db8::1]:80", R"("ok":true)"},
        CommandCase{"DrainWithAGeneration",
                    R"({"command":"backend-drain","service":"w","backend":"192.0.2.1:1",)"
                    R"("generation":7})",
                    "drain w 192.0.2.1:1 @7", R"("ok":true)"},
        CommandCase{"AddWithDefaults",
                    R"({"command":"backend-add","service":"web","backend":"192.0.2.1:80"})",
                    "add web 192.0.2.1:80 tier 0 weight 1 workers 0 capacity 0", R"("ok":true)"},
        CommandCase{"AddWithAll",
                    R"({"command":"backend-add","service":"web","tier":"serverless","weight":0,)"
                    R"("backend":"[2001:db8::1]:80","workers":4,"capacity_rps":54.8,)"
                    R"("generation":18446744073709551615})",
                    "add web [2001:db8::1]:80 tier 1 weight 0 workers 4 capacity 548 "
                    "@18446744073709551615",
                    R"("ok":true)"},
        CommandCase{"AddToNoTier",
                    R"({"command":"backend-add","service":"w","backend":"192.0.2.1:80",)"
                    R"("tier":"gpu"})",
                    "", R"(\"tier\" is \"gpu\"; accepted: \"vm\", \"serverless\")"},
        CommandCase{"AddOfNoWorkers",
                    R"({"command":"backend-add","service":"w","backend":"192.0.2.1:80",)"
                    R"("workers":0})",
                    "", R"(\"workers\" is 0; accepted: a whole number from 1 to 1000000)"},
        CommandCase{"AddOfTooMuchWeight",
                    R"({"command":"backend-add","service":"w","backend":"192.0.2.1:80",)"
                    R"("weight":65536})",
                    "", R"(\"weight\" is 65536; accepted: a whole number from 0 to 65535)"},
        CommandCase{"AddOfCapacityAsText",
                    R"({"command":"backend-add","service":"w","backend":"192.0.2.1:80",)"
                    R"("capacity_rps":"54"})",
                    "", R"(\"capacity_rps\" is \"54\"; accepted: a number from 0.1)"},
        CommandCase{"AddBeforeTheFirstGeneration",
                    R"({"command":"backend-add","service":"w","backend":"192.0.2.1:80",)"
                    R"("generation":-1})",
                    "", R"(\"generation\" is -1; accepted: a whole number from 0)"},
        CommandCase{"AddOfNothing", R"({"command":"backend-add","service":"w"})", "",
                    R"(needs \"backend\")"},
        CommandCase{"AddOfAnUnknownKey",
                    R"({"command":"backend-add","service":"w","backend":"192.0.2.1:80",)"
                    R"("worker":4})",
                    "", R"(unknown key \"worker\")"},
        CommandCase{"Remove",
                    R"({"command":"backend-remove","service":"w","backend":"192.0.2.1:80",)"
                    R"("generation":9})",
                    "remove w 192.0.2.1:80 @9", R"("ok":true)"},
        CommandCase{"RemoveOfMore",
                    R"({"command":"backend-remove","service":"w","backend":"192.0.2.1:80",)"
                    R"("weight":9})",
                    "", "unknown key"},
        CommandCase{"WorkersSet",
                    R"({"command":"workers-set","service":"w","workers":4,"capacity_rps":0.5,)"
                    R"("generation":1})",
                    "workers w 40 5 @1", R"("ok":true)"},
        CommandCase{"WorkersAsConfigured",
                    R"({"command":"workers-set","service":"w","workers":null})",
                    "workers w configured -", R"("ok":true)"},
        CommandCase{"WorkersSetToNothing", R"({"command":"workers-set","service":"w"})", "",
                    R"(needs \"workers\", \"capacity_rps\" or both)"},
        CommandCase{"Endpoints", R"({"command":"endpoints"})", "endpoints ", R"("ok":true)"},
        CommandCase{"EndpointsOfOne", R"({"command":"endpoints","service":"web"})", "endpoints web",
                    R"("ok":true)"},
        CommandCase{"DetachEchoesBadBytes", R"({"command":"detach","interface":"eth0"})",
                    "detach eth0", R"("ok":false)"},
        CommandCase{"Report",
                    R"({"command":"report","service":"web","in_flight":12,"requests":123456})",
                    "report web 12 123456", R"("new":12,"ok":true,"old":7)"},
        CommandCase{"ReportOfInFlight", R"({"command":"report","service":"web","in_flight":0})",
                    "report web 0 -", R"("ok":true)"},
        CommandCase{"ReportOfRequests", R"({"command":"report","service":"web","requests":1})",
                    "report web - 1", R"("ok":true)"},
        CommandCase{"ReportOfNothing", R"({"command":"report","service":"web"})", "",
                    R"(needs \"in_flight\", \"requests\" or both)"},
        CommandCase{"ReportOfLess", R"({"command":"report","service":"web","in_flight":-1})", "",
                    R"(\"in_flight\" is -1; accepted: a whole number from 0 to 1000000000)"},
        CommandCase{"ReportOfParts", R"({"command":"report","service":"web","requests":1.5})", "",
                    R"(\"requests\" is 1.5; accepted)"},
        CommandCase{"ReportOfText", R"({"command":"report","service":"web","in_flight":"1"})", "",
                    R"(accepted: a whole number)"},
        CommandCase{"ReportOfTooMany",
                    R"({"command":"report","service":"web","in_flight":1000000001})", "",
                    R"(accepted: a whole number)"},
        CommandCase{"Health", R"({"command":"health"})", "health ", R"("ok":true)"},
        CommandCase{"HealthOfOne", R"({"command":"health","service":"web"})", "health web",
                    R"("ok":true)"},
        CommandCase{"HealthOfANumber", R"({"command":"health","service":1})", "",
                    R"(needs \"service\" as text)"},
        CommandCase{"Reload", R"({"command":"reload"})", "reload", R"("ok":true)"},
        CommandCase{"NotJson", "share-set web 1", "", "the line is not JSON"},
        CommandCase{"Empty", "", "", "the line is not JSON"},
        CommandCase{"NotAnObject", "[1]", "", "a command is a JSON object"},
        CommandCase{"NoCommand", "{}", "", R"(needs \"command\" as text)"},
        CommandCase{"Unknown", R"({"command":"stop"})", "", "unknown command"},
        CommandCase{"UnknownKey", R"({"command":"share-auto","service":"web","x":1})", "",
                    "unknown key"},
        CommandCase{"NoService", R"({"command":"share-auto"})", "", R"(needs \"service\")"},
        CommandCase{"ShareAsText", R"({"command":"share-set","service":"w","share":"1"})", "",
                    "a number from 0 to 1"},
        CommandCase{"ShareAboveOne", R"({"command":"share-set","service":"w","share":1.1})", "",
                    "a number from 0 to 1"},
        CommandCase{"ShareBelowZero", R"({"command":"share-set","service":"w","share":-0.1})", "",
                    "a number from 0 to 1"},
        CommandCase{"BadBackend", R"({"command":"backend-drain","service":"w","backend":"x:1"})",
                    "", "an address and port"}),
    [](const auto& one) { return std::string(one.param.name); });

TEST(CommandOfOthers, MayOnlyLook) {
  Recorder recorder;
  const Peer guest{1, 1000, 1000};
  EXPECT_NE(answer_command(recorder, guest, R"({"command":"reload"})").find("only root"),
            std::string::npos);
  EXPECT_EQ(recorder.asked, "");
  for (const char* line : {R"({"command":"backend-add","service":"w","backend":"192.0.2.1:80"})",
                           R"({"command":"backend-remove","service":"w","backend":"192.0.2.1:80"})",
                           R"({"command":"workers-set","service":"w","workers":4})"}) {
    EXPECT_NE(answer_command(recorder, guest, line).find("only root"), std::string::npos);
    EXPECT_EQ(recorder.asked, "");
  }
  for (const char* line :
       {R"({"command":"ping"})", R"({"command":"health"})", R"({"command":"endpoints"})"}) {
    EXPECT_NE(answer_command(recorder, guest, line).find("\"ok\":true"), std::string::npos);
  }
}

TEST(CommandDepth, IsNoDanger) {
  Recorder recorder;
  const std::string deep = std::string(4000, '[');
  EXPECT_NE(answer_command(recorder, Peer{1, 0, 0}, deep).find("not JSON"), std::string::npos);
}

}  // namespace
}  // namespace flare
