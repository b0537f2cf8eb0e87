#include "load/run.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

namespace flare::lab {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
/// Time for the parts to be in place before the first request is due.
constexpr std::int64_t kHeadStartNs = 200'000'000;

std::uint64_t earliest_zero_ns(const Clock& clock, const RatePlan& plan) {
  return clock.now_ns() + static_cast<std::uint64_t>(kHeadStartNs - plan.start_ns());
}

}  // namespace

Run::Run(EventLoop& loop, const Clock& clock, RunConfig config, std::unique_ptr<Arrivals> arrivals,
         Printer printer)
    : loop_(loop),
      clock_(clock),
      config_(std::move(config)),
      arrivals_(std::move(arrivals)),
      printer_(std::move(printer)),
      zero_ns_(config_.zero_ns.value_or(earliest_zero_ns(clock, config_.plan))),
      line_second_(-config_.plan.lead_in),
      client_(loop, clock, config_.client, zero_ns_, records_,
              [this](std::size_t index) { on_ended(index); }) {}

Result<std::unique_ptr<Run>> Run::start(EventLoop& loop, const Clock& clock, RunConfig config,
                                        std::unique_ptr<Arrivals> arrivals, Printer printer) {
  const std::uint64_t earliest = earliest_zero_ns(clock, config.plan);
  if (config.zero_ns && *config.zero_ns < earliest) {
    return Error("second 0 is to be at " + std::to_string(*config.zero_ns) +
                 " ns of the clock; with the lead-in it can be at " + std::to_string(earliest) +
                 " at the earliest");
  }
  std::unique_ptr<Run> run(
      new Run(loop, clock, std::move(config), std::move(arrivals), std::move(printer)));
  auto alarm = Alarm::make(loop, [raw = run.get()] { raw->tick(); });
  if (!alarm) return alarm.error();
  run->alarm_ = *std::move(alarm);
  run->arm();
  return run;
}

void Run::tick() {
  start_due();
  give_up_due();
  print_due();
  arm();
}

void Run::start_due() {
  for (;;) {
    const auto arrival = arrivals_->peek();
    const std::int64_t now = now_ns();
    if (!arrival || arrival->at_ns > now) return;
    arrivals_->pop();
    const std::size_t index = records_.size();
    RequestRecord record;
    record.intended_ns = arrival->at_ns;
    record.number = static_cast<std::uint32_t>(index);
    records_.push_back(record);
    users_.push_back(arrival->user);
    lateness_us_.push_back(static_cast<std::uint32_t>((now - arrival->at_ns) / 1000));
    deadlines_.push_back({arrival->at_ns + static_cast<std::int64_t>(config_.timeout_ns), index});
    ++in_flight_;
    progress_.started();
    client_.send(index);
  }
}

void Run::give_up_due() {
  while (!deadlines_.empty()) {
    const Deadline due = deadlines_.front();
    const bool open = records_[due.index].outcome == Outcome::kPending;
    if (open && due.at_ns > now_ns()) return;
    deadlines_.pop_front();
    if (open) client_.give_up(due.index);
  }
}

void Run::print_due() {
  while (now_ns() >= (line_second_ + 1) * kSecondNs && line_second_ < config_.plan.end_second()) {
    printer_(progress_.line(line_second_, in_flight_));
    ++line_second_;
  }
}

void Run::arm() {
  const auto arrival = arrivals_->peek();
  const bool lines_left = line_second_ < config_.plan.end_second();
  if (!arrival && in_flight_ == 0 && !lines_left) return loop_.stop();
  std::int64_t next = std::numeric_limits<std::int64_t>::max();
  if (lines_left) next = (line_second_ + 1) * kSecondNs;
  if (arrival) next = std::min(next, arrival->at_ns);
  if (!deadlines_.empty()) next = std::min(next, deadlines_.front().at_ns);
  alarm_->set(static_cast<std::uint64_t>(next + static_cast<std::int64_t>(zero_ns_)));
}

void Run::on_ended(std::size_t index) {
  --in_flight_;
  progress_.ended(records_[index]);
  arrivals_->ended({records_[index].intended_ns, users_[index]}, now_ns());
  if (alarm_) arm();
}

}  // namespace flare::lab
