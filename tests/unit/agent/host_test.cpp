// What the agent keeps on the host: lock, secret, state, reserved ports.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "host/back_off.h"
#include "host/host_ports.h"
#include "host/instance_lock.h"
#include "host/saved_state.h"
#include "host/secret.h"
#include "host/small_file.h"

namespace flare {
namespace {

class Host : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "flare-host-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    std::filesystem::create_directories(folder_ / "net/ipv4");
    write("net/ipv4/ip_local_port_range", "32768\t60999\n");
    write("net/ipv4/ip_local_reserved_ports", "\n");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void write(const char* name, std::string_view text) const {
    std::ofstream(folder_ / name) << text;
  }
  std::string read(const char* name) const {
    std::ostringstream text;
    text << std::ifstream(folder_ / name).rdbuf();
    return text.str();
  }

  std::filesystem::path folder_;
};

TEST_F(Host, IsLockedByOneAgent) {
  auto first = InstanceLock::on_folder(folder_);
  ASSERT_TRUE(first);
  const auto second = InstanceLock::on_folder(folder_);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message().find("with pid " + std::to_string(::getpid())),
            std::string::npos);
  { const auto gone = *std::move(first); }
  EXPECT_TRUE(InstanceLock::on_folder(folder_));
}

TEST_F(Host, WaitsLongerAfterEachShortStartUpToHalfAMinute) {
  const BackOff back_off(folder_);
  for (const int seconds : {0, 0, 1, 3, 7, 15, 29, 29, 29}) {
    const auto wait = back_off.begin();
    ASSERT_TRUE(wait) << wait.error().message();
    EXPECT_EQ(wait->count(), seconds);
  }
  ASSERT_TRUE(back_off.forget());
  for (const int seconds : {0, 0, 1}) EXPECT_EQ(back_off.begin()->count(), seconds);
  ASSERT_TRUE(back_off.forget());
  EXPECT_TRUE(back_off.forget()) << "nothing to forget is no fault";
}

TEST_F(Host, CountsStartsAnewWhereTheCountIsNone) {
  const BackOff back_off(folder_);
  for (const char* text : {"", "x", "-1", "99999999999999999999"}) {
    write("starts", text);
    EXPECT_EQ(back_off.begin()->count(), 0) << text;
  }
  write("starts", "4294967295");
  EXPECT_EQ(back_off.begin()->count(), 29);
  EXPECT_FALSE(BackOff(folder_ / "nowhere").begin());
}

TEST_F(Host, HasPinsLockedByOneAgent) {
  const auto first = InstanceLock::on_pins(folder_);
  ASSERT_TRUE(first);
  EXPECT_FALSE(InstanceLock::on_pins(folder_));
}

TEST_F(Host, HasItsNetworkNamespaceLockedByOneAgent) {
  {
    const auto first = InstanceLock::on_network();
    ASSERT_TRUE(first) << first.error().message();
    const auto second = InstanceLock::on_network();
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().message().find("with pid " + std::to_string(::getpid())),
              std::string::npos);
  }
  EXPECT_TRUE(InstanceLock::on_network());
}

TEST_F(Host, KeepsItsSecret) {
  const auto first = hash_key_from(folder_ / "seed");
  ASSERT_TRUE(first);
  const auto again = hash_key_from(folder_ / "seed");
  ASSERT_TRUE(again);
  EXPECT_EQ(*first, *again);
  struct stat status {};
  ASSERT_EQ(::stat((folder_ / "seed").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  const auto other = hash_key_from(folder_ / "other");
  ASSERT_TRUE(other);
  EXPECT_NE(*first, *other);
}

TEST_F(Host, RefusesASecretThatOthersMayRead) {
  write("seed", "00112233445566778899aabbccddeeff\n");
  for (const mode_t mode : {0640U, 0604U, 0660U, 0601U}) {
    ASSERT_EQ(::chmod((folder_ / "seed").c_str(), mode), 0);
    const auto refused = hash_key_from(folder_ / "seed");
    ASSERT_FALSE(refused) << mode;
    EXPECT_NE(refused.error().message().find("chmod 0600"), std::string::npos);
  }
  ASSERT_EQ(::chmod((folder_ / "seed").c_str(), 0600), 0);
  const auto key = hash_key_from(folder_ / "seed");
  ASSERT_TRUE(key) << key.error().message();
  EXPECT_EQ(*key, (HashKey{0x0011223344556677, 0x8899aabbccddeeff}));
}

TEST_F(Host, DoesNotReplaceASecretItCannotRead) {
  for (const char* text : {"", "xyz\n", "00112233445566778899aabbccddeeff00\n"}) {
    write("seed", text);
    ASSERT_EQ(::chmod((folder_ / "seed").c_str(), 0600), 0);
    EXPECT_FALSE(hash_key_from(folder_ / "seed")) << text;
    EXPECT_EQ(read("seed"), text);
  }
}

TEST_F(Host, RemembersWhatWasSetByHand) {
  SavedState state;
  state.pinned_shares["web"] = 0.25;
  state.drained["web"] = {*Endpoint::parse("198.51.100.1:80"),
                          *Endpoint::parse("[2001:db8::1]:80")};
  ToldService& told = state.told["web"];
  told.generation = UINT64_MAX;
  told.added[*Endpoint::parse("198.51.100.2:80")] = {FLARE_TIER_VM, 0, 4, 54.8};
  told.added[*Endpoint::parse("[2001:db8::2]:80")] = {FLARE_TIER_SERVERLESS, 65'535, 0, 0};
  told.removed = {*Endpoint::parse("198.51.100.3:80")};
  state.told["api"].workers = 16;
  state.told["dns"].capacity_rps = 0.1;
  ASSERT_TRUE(save_state(folder_ / "state.json", state));
  const auto loaded = load_state(folder_ / "state.json");
  ASSERT_TRUE(loaded) << loaded.error().message();
  EXPECT_EQ(*loaded, state);
}

TEST_F(Host, ReadsASmallFileIntoLittleMemory) {
  write("state", "{}");
  const auto text = read_small_file(folder_ / "state", 64 << 20);
  ASSERT_TRUE(text && *text);
  EXPECT_EQ(**text, "{}");
  EXPECT_LT((*text)->capacity(), 1U << 20);
}

TEST_F(Host, ReadsAFileOfTheMostBytesAndNoLargerOne) {
  write("state", std::string(200'000, 'x'));
  const auto text = read_small_file(folder_ / "state", 200'000);
  ASSERT_TRUE(text && *text);
  EXPECT_EQ((*text)->size(), 200'000U);
  EXPECT_FALSE(read_small_file(folder_ / "state", 199'999));
}

TEST_F(Host, HasNoStateAtFirst) {
  const auto loaded = load_state(folder_ / "state.json");
  ASSERT_TRUE(loaded);
  EXPECT_EQ(*loaded, SavedState{});
}

TEST_F(Host, ReadsAStateFromBeforeThereWereControlPlanes) {
  write("state.json", R"({"version":1,"pinned_shares":{"web":0.5},"drained":{}})");
  const auto loaded = load_state(folder_ / "state.json");
  ASSERT_TRUE(loaded) << loaded.error().message();
  EXPECT_EQ(loaded->pinned_shares.at("web"), 0.5);
  EXPECT_TRUE(loaded->told.empty());
}

constexpr const char* kToldFiles[] = {
    R"([])",
    R"({"web":{}})",
    R"({"web":{"generation":-1,"added":[],"removed":[]}})",
    R"({"web":{"generation":1,"added":[],"removed":["x"]}})",
    R"({"web":{"generation":1,"added":[],"removed":[],"workers":0}})",
    R"({"web":{"generation":1,"added":[],"removed":[],"capacity_rps":1e9}})",
    R"({"web":{"generation":1,"added":[{"backend":"192.0.2.1:1"}],"removed":[]}})",
    R"({"web":{"generation":1,"added":[{"backend":"192.0.2.1:1","tier":"x"}],"removed":[]}})",
    R"({"web":{"generation":1,"added":[{"backend":"192.0.2.1","tier":"vm"}],"removed":[]}})",
    R"({"web":{"generation":1,"added":[{"backend":"192.0.2.1:1","tier":"vm","workers":-4}],
       "removed":[]}})"};

class BadTold : public Host, public testing::WithParamInterface<const char*> {};
TEST_P(BadTold, IsAnErrorAndNotForgotten) {
  write("state.json",
        std::string(R"({"version":1,"pinned_shares":{},"drained":{},"told":)") + GetParam() + "}");
  EXPECT_FALSE(load_state(folder_ / "state.json"));
}
INSTANTIATE_TEST_SUITE_P(Files, BadTold, testing::ValuesIn(kToldFiles));

class BadState : public Host, public testing::WithParamInterface<const char*> {};
TEST_P(BadState, IsAnErrorAndNotForgotten) {
  write("state.json", GetParam());
  EXPECT_FALSE(load_state(folder_ / "state.json"));
}
INSTANTIATE_TEST_SUITE_P(
    Files, BadState,
    testing::Values("", "{", "[]", "{\"version\":2}", "{\"version\":1}",
                    R"({"version":1,"pinned_shares":{"web":2},"drained":{}})",
                    R"({"version":1,"pinned_shares":{"web":"x"},"drained":{}})",
                    R"({"version":1,"pinned_shares":{},"drained":{"web":["x"]}})"));

TEST_F(Host, ReservesPortsBesideWhatIsReserved) {
  write("net/ipv4/ip_local_reserved_ports", "80,30000-30010\n");
  auto reserved = reserve_ports(folder_, {10240, 29999});
  ASSERT_TRUE(reserved) << reserved.error().message();
  EXPECT_TRUE(*reserved);
  EXPECT_EQ(read("net/ipv4/ip_local_reserved_ports"), "80,10240-30010\n");
  reserved = reserve_ports(folder_, {10240, 29999});
  ASSERT_TRUE(reserved);
  EXPECT_FALSE(*reserved) << "it was there already";
}

TEST_F(Host, KnowsItsPorts) {
  write("net/ipv4/ip_local_reserved_ports", "8080,9000-9010\n");
  const auto ports = read_host_ports(folder_);
  ASSERT_TRUE(ports);
  EXPECT_EQ(ports->ephemeral, (PortRange{32768, 60999}));
  EXPECT_EQ(ports->reserved, (std::vector<PortRange>{{8080, 8080}, {9000, 9010}}));
  write("net/ipv4/ip_local_port_range", "many\n");
  EXPECT_FALSE(read_host_ports(folder_));
}

}  // namespace
}  // namespace flare
