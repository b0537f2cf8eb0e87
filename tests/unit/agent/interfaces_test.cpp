// Interfaces by name and by pattern, as they come, go, and change their names.
#include "service/interfaces.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>

namespace flare {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
using Names = std::set<std::string>;

/// Interfaces in memory.
class FakeDevices final : public Devices {
 public:
  Result<Names> present() const override {
    if (cannot_list) return Error("no list");
    return present_;
  }
  Result<Names> recorded() const override {
    Names names;
    for (const auto& [ifindex, name] : recorded_) {
      const auto living = present_.find(ifindex);
      names.emplace(ifindex, living == present_.end() ? name : living->second);
    }
    return names;
  }
  Result<Attachment> attach(const InterfaceConfig& interface) override {
    ++attaches;
    for (const auto& [ifindex, name] : present_) {
      if (name != interface.name || failing.contains(name)) continue;
      recorded_[ifindex] = name;
      modes[name] = interface.mode;
      Attachment attachment;
      attachment.ifindex = ifindex;
      return attachment;
    }
    return Error("cannot attach");
  }
  Result<bool> detach(const std::string& name) override {
    const Names names = *recorded();
    for (const auto& [ifindex, one] : names) {
      if (one == name) return recorded_.erase(ifindex) > 0;
    }
    return false;
  }
  Result<std::vector<std::string>> forget_gone() override {
    std::erase_if(recorded_, [this](const auto& one) { return !present_.contains(one.first); });
    return std::vector<std::string>{};
  }

  std::set<std::string> on() const {
    std::set<std::string> names;
    for (const auto& [ifindex, name] : recorded_) names.insert(name);
    return names;
  }

  Names present_{{1, "lo"}, {2, "eth0"}};
  Names recorded_;
  std::set<std::string> failing;
  std::map<std::string, flare_attach_mode> modes;
  std::size_t attaches = 0;
  bool cannot_list = false;
};

InterfaceConfig named(const std::string& name) {
  InterfaceConfig interface;
  interface.name = name;
  return interface;
}

InterfaceConfig matching(const std::string& pattern, flare_attach_mode mode = FLARE_ATTACH_AUTO) {
  InterfaceConfig interface;
  interface.match = pattern;
  interface.mode = mode;
  return interface;
}

class Attached : public testing::Test {
 protected:
  std::unique_ptr<Logger> log_ = make_logger(-1, true);
  FakeDevices devices_;
  Interfaces interfaces_{devices_, *log_};
  std::uint64_t now_ = 1'000 * kSecond;

  void apply(const std::vector<InterfaceConfig>& wanted) {
    auto applied = interfaces_.apply(wanted, now_);
    ASSERT_TRUE(applied) << applied.error().message();
  }
};

TEST(WantedFor, ANameBeforeAPatternAndAPatternBeforeTheNext) {
  const std::vector<InterfaceConfig> wanted{matching("eth*", FLARE_ATTACH_XDP), matching("*"),
                                            named("eth1")};
  EXPECT_EQ(wanted_for(wanted, "eth0")->mode, FLARE_ATTACH_XDP);
  EXPECT_EQ(wanted_for(wanted, "eth0")->name, "eth0");
  EXPECT_EQ(wanted_for(wanted, "eth1")->mode, FLARE_ATTACH_AUTO);
  EXPECT_EQ(wanted_for(wanted, "wlan0")->name, "wlan0");
  EXPECT_FALSE(wanted_for(wanted, "lo"));
  EXPECT_TRUE(wanted_for({named("lo")}, "lo"));
  EXPECT_FALSE(wanted_for({matching("veth[0-9]")}, "vetha"));
  EXPECT_FALSE(wanted_for({}, "eth0"));
}

TEST_F(Attached, ByPatternAsTheyComeAndGo) {
  apply({named("eth0"), matching("veth*")});
  EXPECT_EQ(devices_.on(), (Names{"eth0"}));
  devices_.present_[5] = "veth5";
  devices_.present_[6] = "tap6";
  interfaces_.tend(now_);
  EXPECT_EQ(devices_.on(), (Names{"eth0", "veth5"}));
  EXPECT_EQ(interfaces_.attached(), 2U);
  devices_.present_.erase(5);
  interfaces_.tend(now_);
  EXPECT_EQ(devices_.on(), (Names{"eth0"})) << "forgotten";
  EXPECT_EQ(interfaces_.attached(), 1U);
  const std::size_t attaches = devices_.attaches;
  interfaces_.tend(now_);
  EXPECT_EQ(devices_.attaches, attaches) << "nothing to do";
}

TEST_F(Attached, ByPatternFollowTheirNames) {
  devices_.present_[5] = "veth5";
  devices_.present_[6] = "tap6";
  apply({matching("veth*")});
  EXPECT_EQ(devices_.on(), (Names{"veth5"}));
  devices_.present_[5] = "old5";
  devices_.present_[6] = "veth6";
  interfaces_.tend(now_);
  EXPECT_EQ(devices_.on(), (Names{"veth6"}));
  devices_.present_[6] = "veth7";
  interfaces_.tend(now_);
  EXPECT_EQ(devices_.on(), (Names{"veth7"})) << "recorded under the name that it has";
}

TEST_F(Attached, ThatSwapTheirNamesSwapWhatIsWanted) {
  devices_.present_[5] = "a";
  devices_.present_[6] = "b";
  apply({named("a"), matching("?", FLARE_ATTACH_XDP)});
  EXPECT_EQ(devices_.modes.at("b"), FLARE_ATTACH_XDP);
  std::swap(devices_.present_[5], devices_.present_[6]);
  interfaces_.tend(now_);
  EXPECT_EQ(devices_.on(), (Names{"a", "b"}));
  EXPECT_EQ(devices_.recorded_.at(5), "b");
  EXPECT_EQ(devices_.modes.at("b"), FLARE_ATTACH_XDP);
  EXPECT_EQ(devices_.modes.at("a"), FLARE_ATTACH_AUTO);
}

TEST_F(Attached, ByNameComeBackWithAnotherIndex) {
  apply({named("eth0"), named("eth1")});
  devices_.present_.erase(2);
  devices_.present_[9] = "eth0";
  interfaces_.tend(now_);
  EXPECT_EQ(devices_.recorded_, (Devices::Names{{9, "eth0"}}));
  devices_.present_[10] = "eth1";
  interfaces_.tend(now_);
  EXPECT_EQ(devices_.on(), (Names{"eth0", "eth1"}));
}

TEST_F(Attached, ThatCannotBeAreTriedAgainAfterAWhile) {
  devices_.present_[5] = "veth5";
  devices_.failing = {"veth5"};
  apply({named("eth0"), matching("veth*")});
  const std::size_t attaches = devices_.attaches;
  interfaces_.tend(now_ + kSecond);
  EXPECT_EQ(devices_.attaches, attaches);
  devices_.failing.clear();
  interfaces_.tend(now_ + 6 * kSecond);
  EXPECT_EQ(devices_.on(), (Names{"eth0", "veth5"}));
  devices_.failing = {"veth7"};
  devices_.present_[7] = "veth7";
  interfaces_.tend(now_ + 7 * kSecond);
  devices_.failing.clear();
  devices_.present_.erase(7);
  devices_.present_[8] = "veth7";
  interfaces_.tend(now_ + 7 * kSecond);
  EXPECT_TRUE(devices_.on().contains("veth7")) << "another interface of that name";
}

TEST_F(Attached, ByHandDetachedAreLeftAlone) {
  devices_.present_[5] = "veth5";
  apply({matching("*")});
  ASSERT_TRUE(interfaces_.detach("veth5"));
  interfaces_.tend(now_);
  EXPECT_EQ(devices_.on(), (Names{"eth0"}));
  devices_.present_[5] = "veth6";
  interfaces_.tend(now_);
  EXPECT_EQ(devices_.on(), (Names{"eth0"})) << "also under another name";
  devices_.present_.erase(5);
  interfaces_.tend(now_);
  devices_.present_[5] = "tap0";
  interfaces_.tend(now_);
  EXPECT_EQ(devices_.on(), (Names{"eth0", "tap0"})) << "another interface with its index";
  ASSERT_TRUE(interfaces_.detach("all"));
  EXPECT_TRUE(devices_.on().empty());
  EXPECT_FALSE(interfaces_.detach("all"));
  EXPECT_FALSE(interfaces_.detach("eth0"));
  apply({matching("*")});
  EXPECT_EQ(devices_.on(), (Names{"eth0", "tap0"})) << "a reload ends it";
}

TEST_F(Attached, ThatTheConfigurationNoLongerHasAreDetached) {
  devices_.present_[5] = "veth5";
  devices_.recorded_ = {{5, "veth5"}, {77, "veth77"}};
  apply({named("eth0")});
  EXPECT_EQ(devices_.on(), (Names{"eth0"})) << "of an agent before, and one that is gone";
  apply({matching("veth*")});
  EXPECT_EQ(devices_.on(), (Names{"veth5"}));
}

TEST_F(Attached, MustBeOneUnlessAPatternWaits) {
  EXPECT_FALSE(interfaces_.apply({named("eth7")}, now_));
  EXPECT_TRUE(interfaces_.apply({named("eth7"), matching("eth8*")}, now_));
  EXPECT_TRUE(interfaces_.apply({}, now_)) << "senders by cgroup alone";
}

TEST_F(Attached, StayWhereTheyCannotBeListed) {
  apply({named("eth0")});
  devices_.cannot_list = true;
  interfaces_.tend(now_);
  EXPECT_EQ(devices_.on(), (Names{"eth0"}));
  EXPECT_EQ(interfaces_.attached(), 1U);
}

}  // namespace
}  // namespace flare
