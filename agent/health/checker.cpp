#include "health/checker.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"

namespace flare {

Checker::Checker(EventLoop& loop, const Clock& clock, CheckerLimits limits, std::uint64_t seed,
                 Handler handler)
    : loop_(loop), clock_(clock), limits_(limits), handler_(std::move(handler)), schedule_(seed) {}

Result<std::unique_ptr<Checker>> Checker::make(EventLoop& loop, const Clock& clock,
                                               CheckerLimits limits, std::uint64_t seed,
                                               Handler handler) {
  std::unique_ptr<Checker> checker(new Checker(loop, clock, limits, seed, std::move(handler)));
  auto set = checker->set_up();
  if (!set) return set.error();
  return checker;
}

Result<void> Checker::set_up() {
  auto curl = CurlLoop::make(loop_, [this](CURL* easy, CURLcode code) { on_done(easy, code); });
  if (!curl) return curl.error();
  curl_ = *std::move(curl);
  auto turn = Timer::once(loop_, [this] { on_turn(); });
  if (!turn) return turn.error();
  turn_ = *std::move(turn);
  return {};
}

Checker::~Checker() {
  for (const auto& [easy, running] : running_) curl_->remove(easy);
}

void Checker::set(std::uint64_t key, const CheckPlan& plan) {
  const auto [found, added] = plans_.try_emplace(key);
  if (!added && found->second.plan == plan) return;
  found->second = {plan, ++versions_};
  schedule_.set(key, to_ns(plan.interval), clock_.now_ns());
  arm();
}

void Checker::remove(std::uint64_t key) {
  plans_.erase(key);
  schedule_.remove(key);
}

void Checker::hurry(std::uint64_t key) {
  schedule_.hurry(key, clock_.now_ns());
  arm();
}

/// Sets the timer to the next check that is due, as far as there is room for it.
void Checker::arm() {
  const auto due_ns = schedule_.next_due_ns();
  if (!due_ns || running_.size() >= limits_.at_once) return;
  const std::uint64_t at_ns = std::max(*due_ns, not_before_ns_);
  if (armed_ns_ != 0 && armed_ns_ <= at_ns) return;
  const std::uint64_t now_ns = clock_.now_ns();
  const std::uint64_t delay_ns = at_ns > now_ns ? at_ns - now_ns : 1;
  if (turn_->restart(std::chrono::nanoseconds(delay_ns))) armed_ns_ = at_ns;
}

void Checker::on_turn() {
  const std::uint64_t now_ns = clock_.now_ns();
  armed_ns_ = 0;
  not_before_ns_ = now_ns + to_ns(limits_.turn);
  for (std::size_t i = 0; i < limits_.starts && running_.size() < limits_.at_once; ++i) {
    const auto key = schedule_.take(now_ns);
    if (!key) break;
    auto started = start(*key, now_ns);
    if (!started) {
      schedule_.done(*key, now_ns, now_ns);
      handler_(*key, {CheckResult::Verdict::kUnknown, started.error().message()});
    }
  }
  arm();
}

Result<void> Checker::start(std::uint64_t key, std::uint64_t now_ns) {
  if (idle_.empty()) {
    auto made = CheckTransfer::make();
    if (!made) return made.error();
    idle_.push_back(*std::move(made));
  }
  const Planned& planned = plans_.at(key);
  auto ready = idle_.back()->prepare(planned.plan);
  if (!ready) return ready;
  CURL* easy = idle_.back()->handle();
  auto started = curl_->start(easy);
  if (!started) return started;
  running_[easy] = {std::move(idle_.back()), key, planned.version, now_ns};
  idle_.pop_back();
  return {};
}

void Checker::on_done(CURL* easy, CURLcode code) {
  const auto found = running_.find(easy);
  if (found == running_.end()) return;
  Running over = std::move(found->second);
  running_.erase(found);
  const std::uint64_t now_ns = clock_.now_ns();
  const CheckResult result = over.transfer->result(code, now_ns - over.started_ns);
  idle_.push_back(std::move(over.transfer));
  schedule_.done(over.key, over.started_ns, now_ns);
  const auto planned = plans_.find(over.key);
  const bool in_force = planned != plans_.end() && planned->second.version == over.version;
  if (in_force) handler_(over.key, result);
  arm();
}

}  // namespace flare
