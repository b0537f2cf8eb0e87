#include "health/passive_watch.h"

#include <fmt/format.h>

#include <algorithm>

namespace flare {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kMarkEvery = kSecond / 5;
constexpr std::uint64_t kSynRetryNs = kSecond * 5 / 4;  ///< and its answer has had its time
constexpr std::uint64_t kRefusedInARow = 3;
constexpr std::uint64_t kUnansweredInARow = 5;
constexpr std::uint64_t kUdpUnansweredInARow = 20;
constexpr std::uint64_t kUdpAnsweredLeast = 20;
constexpr std::uint64_t kHungRequests = 3;
constexpr std::uint64_t kHungNs = 3 * kSecond;
constexpr std::uint64_t kHungTimesSlowest = 4;
constexpr std::uint64_t kTrialFlows = 5;
constexpr std::uint64_t kTrialUnanswered = 3;

bool has_fallen(const BackendSample& now, const BackendSample& before) {
  return now.flows_new < before.flows_new || now.accepted < before.accepted ||
         now.refused < before.refused || now.requests < before.requests ||
         now.answers < before.answers;
}

std::uint64_t less(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; }

PassiveSignal refused_signal(std::uint64_t flows) {
  return {PassiveKind::kRefused, fmt::format("refused {} connections in a row", flows)};
}

PassiveSignal unanswered_signal(std::uint64_t flows) {
  return {PassiveKind::kUnanswered, fmt::format("left {} new flows in a row unanswered", flows)};
}

}  // namespace

std::optional<double> RecentLoad::request_ns() const {
  if (answers == 0) return std::nullopt;
  return in_flight * static_cast<double>(elapsed_ns) / static_cast<double>(answers);
}

void PassiveWatch::add(const BackendSample& sample, std::uint64_t now_ns) {
  if (now_.at_ns == 0 || has_fallen(sample, last_)) {
    *this = PassiveWatch();
    last_ = good_ = trial_ = sample;
    now_ = trial_mark_ = {now_ns, sample.flows_new, sample.answers, 0};
    marks_.fill(now_);
    return;
  }
  if (sample.accepted > last_.accepted) good_ = sample;
  if (sample.answers > last_.answers || sample.in_flight == 0) {
    quiet_since_ns_ = 0;
  } else if (quiet_since_ns_ == 0) {
    quiet_since_ns_ = now_ns;
    quiet_requests_ = last_.requests;
  }
  if (sample.requests > last_.requests) last_request_ns_ = now_ns;
  const auto passed_ns = static_cast<double>(now_ns - now_.at_ns);
  now_ = {now_ns, sample.flows_new, sample.answers,
          now_.busy + static_cast<double>(sample.in_flight) * passed_ns};
  last_ = sample;
  if (now_ns - marks_[(next_ + kMarks - 1) % kMarks].at_ns < kMarkEvery) return;
  marks_[next_] = now_;
  next_ = (next_ + 1) % kMarks;
}

void PassiveWatch::forget() {
  good_ = last_;
  quiet_since_ns_ = 0;
  marks_.fill(now_);
}

/// The newest mark that is at least `age_ns` old; the oldest where none is.
const PassiveWatch::Mark& PassiveWatch::mark_before(std::uint64_t age_ns) const {
  for (std::size_t i = 1; i <= kMarks; ++i) {
    const Mark& mark = marks_[(next_ + kMarks - i) % kMarks];
    if (now_.at_ns - mark.at_ns >= age_ns) return mark;
  }
  return marks_[next_];
}

std::optional<PassiveSignal> PassiveWatch::hung(SlowestNs slowest_ns) const {
  if (!slowest_ns || quiet_since_ns_ == 0) return std::nullopt;
  const std::uint64_t bound_ns = std::max(kHungNs, kHungTimesSlowest * *slowest_ns);
  const std::uint64_t quiet_ns = now_.at_ns - quiet_since_ns_;
  const std::uint64_t requests = last_.requests - quiet_requests_;
  const bool goes_on = last_request_ns_ >= quiet_since_ns_ + kSecond;
  if (quiet_ns < bound_ns || requests < kHungRequests || !goes_on) return std::nullopt;
  return PassiveSignal{PassiveKind::kHung,
                       fmt::format("answered none of {} requests in {:.1f} s", requests,
                                   static_cast<double>(quiet_ns) / 1e9)};
}

std::optional<PassiveSignal> PassiveWatch::signal(Protocol protocol, SlowestNs slowest_ns) const {
  const std::uint64_t refused = last_.refused - good_.refused;
  if (refused >= kRefusedInARow) return refused_signal(refused);
  const std::uint64_t unanswered =
      less(less(mark_before(kSynRetryNs).flows_new, good_.flows_new), refused);
  if (protocol == Protocol::kUdp) {
    const bool answers =
        good_.accepted >= kUdpAnsweredLeast && 2 * good_.accepted >= good_.flows_new;
    if (answers && unanswered >= kUdpUnansweredInARow) return unanswered_signal(unanswered);
    return std::nullopt;
  }
  if (unanswered >= kUnansweredInARow) return unanswered_signal(unanswered);
  return hung(slowest_ns);
}

RecentLoad PassiveWatch::load_since(const Mark& mark) const {
  RecentLoad load;
  load.elapsed_ns = now_.at_ns - mark.at_ns;
  if (load.elapsed_ns == 0) return load;
  load.in_flight = (now_.busy - mark.busy) / static_cast<double>(load.elapsed_ns);
  load.answers = now_.answers - mark.answers;
  return load;
}

RecentLoad PassiveWatch::recent() const { return load_since(mark_before(kSecond)); }

RecentLoad PassiveWatch::trial_load() const { return load_since(trial_mark_); }

void PassiveWatch::begin_trial() {
  forget();
  trial_ = last_;
  trial_mark_ = now_;
}

bool PassiveWatch::trial_is_good(bool answers) const {
  const bool taken = last_.accepted - trial_.accepted >= kTrialFlows;
  const bool answered = last_.answers - trial_.answers >= kTrialFlows;
  return taken && (answered || !answers);
}

std::optional<PassiveSignal> PassiveWatch::trial_signal(Protocol protocol,
                                                        SlowestNs slowest_ns) const {
  const std::uint64_t refused = last_.refused - trial_.refused;
  if (refused > 0) return refused_signal(refused);
  const std::uint64_t taken = last_.accepted - trial_.accepted;
  const std::uint64_t old = less(mark_before(kSynRetryNs).flows_new, trial_.flows_new);
  if (less(old, taken) >= kTrialUnanswered) return unanswered_signal(less(old, taken));
  if (protocol == Protocol::kUdp) return std::nullopt;
  return hung(slowest_ns);
}

}  // namespace flare
