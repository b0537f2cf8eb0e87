// Loading: pins and their modes, adoption, and limits that do not fit.
#include "kernel/datapath.h"

#include <sys/stat.h>

#include <set>

#include "kernel_test.h"

namespace flare {
namespace {

mode_t mode_of(const std::filesystem::path& path) {
  struct stat info {};
  EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
  return info.st_mode & 07777;
}

class DatapathTest : public KernelTest {};

TEST_F(DatapathTest, PinsItsMapsForRootAndGroup) {
  auto datapath = Datapath::load(options_);
  ASSERT_OK(datapath);
  EXPECT_FALSE(datapath->adopted());
  EXPECT_EQ(mode_of(pin_dir_), 0750U);
  EXPECT_EQ(mode_of(layout_dir(pin_dir_)), 0750U);
  EXPECT_EQ(mode_of(links_dir(pin_dir_)), 0750U);
  for (const std::string& name : map_names()) {
    EXPECT_EQ(mode_of(layout_dir(pin_dir_) / name), 0640U) << name;
  }
  EXPECT_EQ(pinned_names(layout_dir(pin_dir_)).size(), map_names().size() + 1) << "and `layout`";
}

TEST_F(DatapathTest, SizesItsMapsByTheLimits) {
  auto datapath = Datapath::load(options_);
  ASSERT_OK(datapath);
  const Maps& maps = datapath->maps();
  EXPECT_EQ(maps.services_max(), 4U);
  EXPECT_EQ(maps.backends_max(), 16U);
  EXPECT_EQ(maps.flows.max_entries(), 1024U);
  EXPECT_EQ(maps.service_counters.size(), 4 * maps.cpus());
  EXPECT_EQ(maps.backend_counters.size(), 16 * maps.cpus());
  EXPECT_GE(maps.cpus(), 1U);
}

TEST_F(DatapathTest, AdoptsTheMapsOfAnEarlierAgent) {
  {
    auto first = Datapath::load(options_);
    ASSERT_OK(first);
    first->maps().admission.set(3, &flare_admission::active, 42);
  }
  auto second = Datapath::load(options_);
  ASSERT_OK(second);
  EXPECT_TRUE(second->adopted());
  EXPECT_EQ(second->maps().admission.get(3, &flare_admission::active), 42U);
}

TEST_F(DatapathTest, RefusesOtherLimitsAndNamesBothFigures) {
  {
    auto datapath = Datapath::load(options_);
    ASSERT_OK(datapath);
    ASSERT_OK(datapath->attach({.name = "fc0"}));
  }
  options_.limits.services = 8;
  auto refused = Datapath::load(options_);
  ASSERT_FALSE(refused);
  const std::string& message = refused.error().message();
  EXPECT_NE(message.find("limits.services = 8"), std::string::npos) << message;
  EXPECT_NE(message.find("has 4"), std::string::npos) << message;
  EXPECT_NE(message.find("flarectl detach"), std::string::npos) << message;
}

TEST_F(DatapathTest, TakesOtherLimitsOnceNothingIsAttached) {
  {
    auto datapath = Datapath::load(options_);
    ASSERT_OK(datapath);
    ASSERT_OK(datapath->attach({.name = "fc0"}));
    ASSERT_OK(datapath->detach("fc0"));
  }
  options_.limits.services = 8;
  auto datapath = Datapath::load(options_);
  ASSERT_OK(datapath);
  EXPECT_FALSE(datapath->adopted());
  EXPECT_EQ(datapath->maps().services_max(), 8U);
}

TEST_F(DatapathTest, RefusesLimitsBeyondTheLayout) {
  options_.limits.backends = FLARE_BACKENDS_MAX + 1;
  auto refused = Datapath::load(options_);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("1 to 65536"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(pin_dir_));
}

TEST_F(DatapathTest, RefusesADirectoryThatIsNoBpffs) {
  options_.pin_dir = "/run/flare-fc-no-bpffs";
  auto refused = Datapath::load(options_);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("mount -t bpf"), std::string::npos);
}

TEST_F(DatapathTest, ClearsTheRemainsOfALoadThatWasKilled) {
  ASSERT_OK(Datapath::load(options_));
  std::filesystem::remove(layout_dir(pin_dir_) / "flows");
  auto again = Datapath::load(options_);
  ASSERT_OK(again);
  EXPECT_FALSE(again->adopted());
}

TEST_F(DatapathTest, RefusesAnAttachedDatapathThatHasLostAMap) {
  {
    auto datapath = Datapath::load(options_);
    ASSERT_OK(datapath);
    ASSERT_OK(datapath->attach({.name = "fc0"}));
  }
  std::filesystem::remove(layout_dir(pin_dir_) / "flows");
  auto refused = Datapath::load(options_);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("lost pins (flows)"), std::string::npos);
}

TEST_F(DatapathTest, OpensItsPinsForReadingOnly) {
  auto datapath = Datapath::load(options_);
  ASSERT_OK(datapath);
  datapath->maps().admission.set(3, &flare_admission::active, 42);
  auto maps = Maps::open(pin_dir_, Access::kRead);
  ASSERT_OK(maps);
  EXPECT_FALSE(maps->settings.update(0, {}));
  EXPECT_EQ(maps->admission.read(3).active, 42U);
  EXPECT_EQ(maps->admission.get(3, &flare_admission::active), 42U);
  EXPECT_TRUE(maps->settings.lookup(0));
}

TEST_F(DatapathTest, SaysWhenNoAgentEverRanOrAnotherLayoutIsThere) {
  auto never = Maps::open(pin_dir_, Access::kRead);
  ASSERT_FALSE(never);
  EXPECT_NE(never.error().message().find("systemctl start flared"), std::string::npos);
  std::filesystem::create_directories(pin_dir_ / "v99");
  auto other = Maps::open(pin_dir_, Access::kRead);
  ASSERT_FALSE(other);
  EXPECT_NE(other.error().message().find("has layout v99"), std::string::npos);
  std::filesystem::remove(pin_dir_ / "v99");
}

TEST_F(DatapathTest, ListsThePrefixesOfServerless) {
  auto datapath = Datapath::load(options_);
  ASSERT_OK(datapath);
  const auto& sources = datapath->maps().chain_sources;
  const auto listed = [&sources] {
    std::set<std::string> texts;
    EXPECT_OK(sources.for_each([&texts](const flare_prefix& prefix, std::uint32_t) {
      texts.insert(Address{prefix.addr}.text() + "/" + std::to_string(prefix.bits));
    }));
    return texts;
  };
  EXPECT_TRUE(listed().empty());
  for (const char* text : {"203.0.113.0/24", "203.0.113.0/25", "2001:db8::/32"}) {
    ASSERT_OK(sources.update(Prefix::parse(text)->key(), 1));
  }
  EXPECT_EQ(listed(),
            (std::set<std::string>{"203.0.113.0/120", "203.0.113.0/121", "2001:db8::/32"}));
  EXPECT_TRUE(sources.lookup(Prefix::parse("203.0.113.77")->key())) << "an address in a prefix";
  auto erased = sources.erase(Prefix::parse("203.0.113.0/25")->key());
  ASSERT_OK(erased);
  EXPECT_TRUE(*erased);
  EXPECT_EQ(listed(), (std::set<std::string>{"203.0.113.0/120", "2001:db8::/32"}));
}

TEST_F(DatapathTest, SumsCountersOverCpus) {
  auto datapath = Datapath::load(options_);
  ASSERT_OK(datapath);
  const Maps& maps = datapath->maps();
  for (std::uint32_t cpu = 0; cpu < maps.cpus(); ++cpu) {
    maps.service_counters.add(cpu * maps.services_max() + 2, &flare_service_counters::handshakes,
                              cpu + 1);
  }
  EXPECT_EQ(maps.service_totals(2).handshakes, maps.cpus() * (maps.cpus() + 1) / 2);
  EXPECT_EQ(maps.service_totals(1).handshakes, 0U);
  maps.clear_service_counters(2);
  EXPECT_EQ(maps.service_totals(2).handshakes, 0U);
}

}  // namespace
}  // namespace flare
