#include "eval/l7/haproxy.h"

#include <gtest/gtest.h>

#include <string>

namespace flare::eval {
namespace {

const std::string kHead = "# pxname,svname,qcur,scur,status,req_tot,\n";
const std::string kRows =
    "web,FRONTEND,,9,OPEN,12345,\n"
    "vms,vm1,0,4,no check,,\n"
    "vms,vm2,0,3,UP 1/2,,\n"
    "vms,vm3,0,0,MAINT,,\n"
    "vms,vm4,0,1,DRAIN,,\n"
    "vms,BACKEND,0,8,UP,,\n"
    "sls,cloud,0,1,no check,,\n"
    "sls,BACKEND,0,1,UP,,\n\n";

TEST(ParseStat, TakesRequestsAndWhatIsUnderWay) {
  const auto counts = parse_stat(kHead + kRows, {});
  ASSERT_TRUE(counts) << counts.error().message();
  EXPECT_EQ(counts->requests, 12345U);
  EXPECT_EQ(counts->in_flight_vm, 8U);
  EXPECT_EQ(counts->in_flight_serverless, 1U);
}

TEST(ParseStat, OnlyServersThatTakeRequestsAreUp) {
  const auto counts = parse_stat(kHead + kRows, {});
  ASSERT_TRUE(counts);
  EXPECT_EQ(counts->vm_servers_up, 2U) << "neither maintenance, draining, nor the total";
}

TEST(ParseStat, ErrorsNameWhatIsMissing) {
  EXPECT_EQ(parse_stat("", {}).error().message(), "show stat: no line of columns");
  EXPECT_EQ(parse_stat("# pxname,svname,scur,status,\n", {}).error().message(),
            "show stat: no column req_tot");
  EXPECT_EQ(parse_stat(kHead + kRows, {.frontend = "api"}).error().message(),
            "show stat: no frontend 'api'");
  EXPECT_EQ(parse_stat(kHead + kRows, {.vm = "machines"}).error().message(),
            "show stat: no backend 'machines'");
  EXPECT_EQ(parse_stat(kHead + kRows, {.serverless = "faas"}).error().message(),
            "show stat: no backend 'faas'");
  EXPECT_EQ(parse_stat(kHead + "web,FRONTEND,,9,OPEN,many,\n", {}).error().message(),
            "show stat: web/FRONTEND: column req_tot is 'many', expected a number");
}

TEST(RuntimeSocket, SaysWhereItCannotReach) {
  const RuntimeSocket socket("/nowhere/haproxy.sock");
  EXPECT_EQ(socket.ask("show stat").error().message(),
            "/nowhere/haproxy.sock: No such file or directory");
}

}  // namespace
}  // namespace flare::eval
