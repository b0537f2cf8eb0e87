// What flarectl sends to flared, and what it makes of the answers.
#include "flarectl/agent_client.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "flarectl_test.h"
#include "one_answer.h"

namespace flare::ctl {
namespace {

class AgentClientTest : public testing::Test {
 protected:
  std::string socket_ = testing::TempDir() + "flare-fc-" + std::to_string(::getpid()) + ".sock";
  Ran flarectl(const std::string& line) { return run_line("--socket " + socket_ + " " + line); }
};

TEST_F(AgentClientTest, SendsAReportOfBothFigures) {
  OneAnswer flared(socket_, "{\"ok\":true,\"old\":7,\"new\":12,\"message\":\"web: 12\"}\n");
  Ran ran = flarectl("report web --in-flight 12 --requests 123456");
  EXPECT_EQ(ran.code, kOk) << ran.err;
  EXPECT_EQ(ran.out, "web: 12\n");
  EXPECT_EQ(
      flared.asked(),
      (Json{{"command", "report"}, {"service", "web"}, {"in_flight", 12}, {"requests", 123456}}));
}

TEST_F(AgentClientTest, SendsAReportOfOneFigure) {
  OneAnswer flared(socket_, "{\"ok\":false,\"error\":\"there is no service 'wep'\"}\n");
  EXPECT_EQ(flarectl("report wep --in-flight 0").code, kNotFound);
  EXPECT_EQ(flared.asked(), (Json{{"command", "report"}, {"service", "wep"}, {"in_flight", 0}}));
}

TEST_F(AgentClientTest, SendsTheShareAsANumber) {
  OneAnswer agent(socket_, R"({"ok":true,"old":0.1,"new":0.25,"message":"share of web is 0.25"})"
                           "\n");
  Ran ran = flarectl("share set web 0.25");
  EXPECT_EQ(ran.code, kOk);
  EXPECT_EQ(ran.out, "share of web is 0.25\n");
  EXPECT_EQ(agent.asked(), (Json{{"command", "share-set"}, {"service", "web"}, {"share", 0.25}}));
}

struct SentCase {
  const char* line;
  const char* sent;
};
class Sends : public AgentClientTest, public testing::WithParamInterface<SentCase> {};

TEST_P(Sends, TheCommandOfTheProtocol) {
  OneAnswer agent(socket_, "{\"ok\":true,\"message\":\"done\"}\n");
  EXPECT_EQ(flarectl(GetParam().line).code, kOk);
  EXPECT_EQ(agent.asked(), Json::parse(GetParam().sent));
}

INSTANTIATE_TEST_SUITE_P(
    Commands, Sends,
    testing::Values(
        SentCase{"share auto web", R"({"command":"share-auto","service":"web"})"},
        SentCase{"share set web auto", R"({"command":"share-auto","service":"web"})"},
        SentCase{"backend drain web 198.51.100.1:8080",
                 R"({"command":"backend-drain","service":"web","backend":"198.51.100.1:8080"})"},
        SentCase{"backend undrain web [2001:db8::1]:80",
                 R"({"command":"backend-undrain","service":"web","backend":"[2001:db8::1]:80"})"},
        SentCase{"backend drain web 198.51.100.1:8080 --generation 7",
                 R"({"command":"backend-drain","service":"web","backend":"198.51.100.1:8080",)"
                 R"("generation":7})"},
        SentCase{"backend add web 198.51.100.1:8080",
                 R"({"command":"backend-add","service":"web","tier":"vm",)"
                 R"("backend":"198.51.100.1:8080","weight":1})"},
        SentCase{"backend add web [2001:db8::1]:80 --tier serverless --weight 0 --workers 4 "
                 "--capacity-rps 54.8 --generation 18446744073709551615",
                 R"({"command":"backend-add","service":"web","tier":"serverless",)"
                 R"("backend":"[2001:db8::1]:80","weight":0,"workers":4,"capacity_rps":54.8,)"
                 R"("generation":18446744073709551615})"},
        SentCase{"backend remove web 198.51.100.1:8080 --generation 8",
                 R"({"command":"backend-remove","service":"web","backend":"198.51.100.1:8080",)"
                 R"("generation":8})"},
        SentCase{"workers set web --workers 16 --generation 9",
                 R"({"command":"workers-set","service":"web","workers":16,"generation":9})"},
        SentCase{"workers set web --workers auto --capacity-rps 219.2",
                 R"({"command":"workers-set","service":"web","workers":null,)"
                 R"("capacity_rps":219.2})"},
        SentCase{"reload", R"({"command":"reload"})"}));

TEST_F(AgentClientTest, ARefusalIsAFailureInTheAgentsWords) {
  OneAnswer agent(socket_, "{\"ok\":false,\"error\":\"only root may change anything\"}\n");
  Ran ran = flarectl("reload");
  EXPECT_EQ(ran.code, kFailure);
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(ran.err, "flarectl: flared refuses: only root may change anything\n");
}

TEST_F(AgentClientTest, WhatAControlPlaneCannotMeanIsNotSent) {
  for (const char* line :
       {"backend add web nowhere", "backend add web 192.0.2.1:80 --tier gpu",
        "backend add web 192.0.2.1:80 --workers many", "backend remove web 192.0.2.1",
        "backend remove web 192.0.2.1:80 --generation -1",
        "backend drain web 192.0.2.1:80 --generation -1",
        "backend add web 192.0.2.1:80 --weight -1", "workers set web",
        "workers set web --workers 4x", "workers set web --capacity-rps inf"}) {
    EXPECT_EQ(flarectl(line).code, kUsage) << line;
  }
}

TEST_F(AgentClientTest, NoAgentSaysWhatToDo) {
  Ran ran = flarectl("reload");
  EXPECT_EQ(ran.code, kFailure);
  EXPECT_NE(ran.err.find("systemctl status flared"), std::string::npos);
}

TEST_F(AgentClientTest, AnAnswerThatIsNoJsonIsAFailure) {
  OneAnswer agent(socket_, "hello\n");
  Ran ran = flarectl("reload");
  EXPECT_EQ(ran.code, kFailure);
  EXPECT_NE(ran.err.find("not understood"), std::string::npos);
}

TEST_F(AgentClientTest, ARefusalWhoseReasonIsNoTextIsAFailure) {
  OneAnswer agent(socket_, "{\"ok\":false,\"error\":[5]}\n");
  Ran ran = flarectl("share auto web");
  EXPECT_EQ(ran.code, kFailure);
  EXPECT_NE(ran.err.find("flared refuses: [5]"), std::string::npos) << ran.err;
}

TEST_F(AgentClientTest, AnAgentThatDoesNotAnswerIsNotWaitedForForEver) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket_.copy(address.sun_path, sizeof(address.sun_path) - 1);
  UniqueFd silent(::socket(AF_UNIX, SOCK_STREAM, 0));
  ASSERT_EQ(::bind(silent.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(::listen(silent.get(), 4), 0);
  Context context;
  context.socket = socket_;
  AgentAnswer answer = ask_agent(context, {{"command", "ping"}}, 1);
  ::unlink(socket_.c_str());
  EXPECT_EQ(answer.kind, AgentAnswer::Kind::kFailed);
  EXPECT_NE(answer.message.find("did not answer"), std::string::npos);
}

}  // namespace
}  // namespace flare::ctl
