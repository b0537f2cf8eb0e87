// The same packets through the programs in the kernel and through the same C in user space, with
// the same maps: verdict, bytes and reason are compared for each. Inputs are those of the fuzz
// targets' corpora, and mutations of them by a fixed seed; FLARE_DIFFERENTIAL_ROUNDS says how many
// of these for each. Without it every eighth input is taken, and those that count a reason first.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <random>
#include <set>
#include <utility>

#include "base/clock.h"
#include "datapath/talk.h"
#include "support/datapath_fixture.h"

namespace flare::test {
namespace {

std::vector<Bytes> read_corpus(const std::string& target) {
  std::vector<Bytes> inputs;
  for (const auto& file : std::filesystem::directory_iterator(
           std::filesystem::path(FLARE_SOURCE_DIR) / "tests/fuzz/corpus" / target)) {
    std::ifstream stream(file.path(), std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
  }
  std::sort(inputs.begin(), inputs.end());
  return inputs;
}

class Differential : public DatapathTest, public testing::WithParamInterface<const char*> {
 protected:
  bool xdp() const { return std::string_view(GetParam()) == "xdp"; }

  /// What an input may not ask for here: rates, whose clocks differ, and what cannot be made so
  /// soon.
  static void tame(Bytes& input) {
    input.resize(std::max<std::size_t>(input.size(), fuzz::kSetupBytes));
    input[0] &= 0x7f;
    input[4] = input[7] = 0;
    input[6] &= 0x0f;
    input[8] &= 3;
  }

  void put_maps() {
    const fuzz::NamedMaps& here = fuzz::named();
    here.services.for_each<flare_service_key, flare_service>(
        [this](const flare_service_key& key, const flare_service& service) {
          ASSERT_TRUE(maps().services.update(key, service));
        });
    here.backends.for_each<std::uint32_t, flare_backend>(
        [this](std::uint32_t id, const flare_backend& backend) {
          ASSERT_TRUE(maps().backends.update(id, backend));
        });
    here.chain_sources.for_each<flare_prefix, std::uint32_t>(
        [this](const flare_prefix& prefix, std::uint32_t value) {
          ASSERT_TRUE(maps().chain_sources.update(prefix, value));
        });
    here.settings.for_each<std::uint32_t, flare_settings>(
        [this](std::uint32_t zero, const flare_settings& settings) {
          ASSERT_TRUE(maps().settings.update(zero, settings));
        });
    here.tables.for_each<std::uint32_t, fuzz::Map*>([this](std::uint32_t which, fuzz::Map* table) {
      std::vector<std::uint32_t> slots;
      const std::uint32_t first = 0;
      for (std::uint32_t i = 1; i <= *fuzz::entry<std::uint32_t>(*table, first); ++i)
        slots.push_back(*fuzz::entry<std::uint32_t>(*table, i));
      if (published_[which] == slots) return;  // the kernel takes its time to switch one
      ASSERT_TRUE(maps().tables.publish(which / 2, static_cast<flare_tier>(which % 2), slots));
      published_[which] = std::move(slots);
    });
    const std::uint32_t zero = 0;
    auto* heart = fuzz::entry<flare_heartbeat>(here.heartbeat, zero);
    if (heart->beat_ns != 0) heart->beat_ns += MonotonicClock().now_ns() - fuzz::host().now_ns;
    maps().heartbeat.set(0, &flare_heartbeat::beat_ns, heart->beat_ns);
    fuzz::host().now_ns = MonotonicClock().now_ns();
  }

  /// What differs, by its first word; empty where nothing does.
  static std::string difference(const Outcome& kernel, const fuzz::Left& user) {
    if (static_cast<int>(kernel.verdict) != user.verdict)
      return "verdict: " + std::to_string(static_cast<int>(kernel.verdict)) + " in the kernel, " +
             std::to_string(user.verdict) + " in user space\n";
    if (kernel.reason != fuzz::word_of(user.reason))
      return "reason: " + kernel.reason + " in the kernel, " + fuzz::word_of(user.reason) +
             " in user space\n";
    if (kernel.bytes != user.frame)
      return "bytes: in the kernel\n" + hex_dump(kernel.bytes) + "in user space\n" +
             hex_dump(user.frame);
    return "";
  }

  /// Where the kernel does not know this packet the two differ from here on.
  static bool is_comparable(flare_hook hook, const Bytes& frame) {
    return kernel_runs(hook, frame) && frame.size() <= 3000;
  }

  /// Runs the packet through the kernel's program. Nothing of the input is compared behind the
  /// first difference.
  void compare(flare_hook hook, const Bytes& frame, std::uint8_t how, fuzz::Left left) {
    over_ = !is_comparable(hook, frame);
    if (over_) return;
    const bool foreign = (how & fuzz::kHowForeign) != 0;
    const Outcome outcome =
        hook == FLARE_HOOK_TC_EGRESS
            ? run_egress(frame, foreign ? static_cast<std::uint32_t>(ifindex()) : 0)
            : run_frame(hook, frame);
    ++packets_;
    if (spoil_) spoil_(left);
    difference_ = difference(outcome, left);
    over_ = !difference_.empty();
    if (over_) difference_ += "hook " + std::to_string(hook) + ", arrived\n" + hex_dump(frame);
  }

  void watch(fuzz::Session& session) {
    leave_judging();  // the session does, of the same bytes
    session.watch(
        [this](flare_hook hook, const Bytes& frame, std::uint8_t how, const fuzz::Left& left) {
          if (!over_) compare(hook, frame, how, left);
        });
  }

  void run_input(fuzz::Session& session, Bytes bytes) {
    tame(bytes);
    forget_packets();
    fuzz::Input input(bytes);
    session.begin(input);
    put_maps();
    difference_.clear();
    run_steps(session, input, [] { fuzz::host().now_ns = MonotonicClock().now_ns(); });
  }

  void run_steps(fuzz::Session& session, fuzz::Input& input, const std::function<void()>& before) {
    fuzz::Talk talk(session);
    over_ = false;
    for (int step = 0; step < 64 && !input.empty() && !over_; ++step) {
      before();
      talk.step(input, true);
    }
  }

  /// Which inputs are the first, in user space alone, to count a reason at a hook.
  std::vector<bool> first_of_their_reason(const std::vector<Bytes>& corpus) {
    std::vector<bool> first(corpus.size());
    std::size_t each = 0;
    fuzz::Session session(xdp());
    session.watch([&](flare_hook hook, const Bytes& frame, std::uint8_t, const fuzz::Left& left) {
      over_ = over_ || !is_comparable(hook, frame);
      if (!over_ && met_.emplace(hook, left.reason).second) first[each] = true;
    });
    for (; each < corpus.size(); ++each) {
      Bytes bytes = corpus[each];
      tame(bytes);
      fuzz::Input input(bytes);
      session.begin(input);
      run_steps(session, input, [] {});
    }
    return first;
  }

  std::vector<std::uint32_t> published_[2 * fuzz::kServices];
  /// Changes what user space made of a packet, as a bug in one of the two builds would.
  std::function<void(fuzz::Left&)> spoil_;
  std::string difference_;
  std::set<std::pair<flare_hook, unsigned>> met_;
  std::uint64_t packets_ = 0;
  bool over_ = false;
};

TEST_P(Differential, KernelAndUserSpaceAgree) {
  fuzz::Session session(xdp());
  watch(session);
  const char* told = std::getenv("FLARE_DIFFERENTIAL_ROUNDS");
  const int rounds = told != nullptr ? std::atoi(told) : 1;
  const std::size_t stride = told != nullptr ? 1 : 8;
  std::mt19937 random(20260901);
  const std::vector<Bytes> corpus = read_corpus(GetParam());
  const std::vector<bool> first = first_of_their_reason(corpus);
  for (std::size_t each = 0; each < corpus.size(); ++each)
    for (int round = 0; round <= rounds; ++round) {
      if (each % stride != 0 && !(first[each] && round == 0)) continue;
      Bytes input = corpus[each];
      for (int changes = round == 0 ? 0 : 3; changes > 0 && !input.empty(); --changes)
        input[random() % input.size()] = static_cast<std::uint8_t>(random());
      run_input(session, input);
      ASSERT_EQ(difference_, "") << "input " << hex_dump(input);
      if (HasFailure()) return;
    }
  EXPECT_GT(packets_, 300U);
  RecordProperty("packets", std::to_string(packets_));
  RecordProperty("hooks_and_reasons", static_cast<int>(met_.size()));
  std::printf("%s: %lu packets compared, %zu reasons at their hooks\n", GetParam(), packets_,
              met_.size());
}

/// A bug of one build alone, and what may be the first word of what is said of it.
struct Bug {
  std::set<std::string> found;
  std::function<void(fuzz::Left&)> spoil;
};

std::vector<Bug> bugs_of_one_build() {
  return {
      {{"verdict"}, [](fuzz::Left& left) { ++left.verdict; }},
      {{"reason"}, [](fuzz::Left& left) { left.reason = left.reason == 0 ? 1 : 0; }},
      {{"bytes"}, [](fuzz::Left& left) { left.frame.back() ^= 1; }},
      {{"bytes"}, [](fuzz::Left& left) { left.frame.pop_back(); }},
      // the next packet of the flow meets another end
      {{"verdict", "reason"},
       [](fuzz::Left&) {
         fuzz::named().embryos.evict(0);
         fuzz::named().flows.evict(0);
       }},
  };
}

TEST_P(Differential, FindsABugOfOneBuild) {
  fuzz::Session session(xdp());
  watch(session);
  const std::vector<Bytes> corpus = read_corpus(GetParam());
  for (const Bug& bug : bugs_of_one_build()) {
    spoil_ = bug.spoil;
    difference_.clear();
    for (std::size_t each = 0; each < corpus.size() && difference_.empty(); each += 8)
      run_input(session, corpus[each]);
    EXPECT_TRUE(bug.found.contains(difference_.substr(0, difference_.find(':')))) << difference_;
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, Differential, testing::Values("xdp", "tc"),
                         [](const auto& way) { return std::string(way.param); });

}  // namespace
}  // namespace flare::test
