#include "soak.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <stdexcept>
#include <thread>
#include <utility>

#include "e2e/held_streams.h"
#include "traffic.h"

namespace flare::test {
namespace {

constexpr double kAfterwards = 2;  ///< seconds behind a fault that still belong to it
constexpr double kPause = 0.01;    ///< of the held connections between two messages

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void hold(double seconds) {
  if (seconds > 0) std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

class Soak {
 public:
  Soak(const SoakPlan& plan, std::function<void(const std::string&)> progress)
      : plan_(plan),
        progress_(std::move(progress)),
        lab_(plan.attach),
        faults_(all_faults(lab_)),
        break_(breakage(lab_, plan.breaks)) {
    lab_.configure();
    lab_.lab().start_agent();
    lab_.ctl_each("share set", "0.2");
    for (const Fault& fault : faults_)
      result_.faults.push_back({fault.name, fault.may_lose, 0, {}});
  }

  SoakResult run() {
    drops_before_ = known_drops(lab_);
    HeldStreams streams(lab_.client(), SoakLab::kWeb, plan_.streams, kPause);
    {
      SoakTraffic traffic(traffic_plan());
      try {
        run_faults(traffic);
      } catch (const std::exception& error) {
        result_.failure = error.what();
      }
      count_again(traffic);
      count_drops();
      result_.flows = traffic.flows();
      result_.moved = traffic.moved();
      result_.repeated = traffic.repeated();
      result_.corrupt = traffic.corrupt();
      result_.by_sink = traffic.by_sink();
    }
    streams.stop();
    result_.streams = streams.size();
    result_.exchanges = streams.exchanges();
    result_.resets = streams.resets();
    result_.changed = streams.corrupt();
    result_.longest_wait = streams.longest_wait();
    return std::move(result_);
  }

 private:
  TrafficPlan traffic_plan() const {
    return {.client = lab_.client(),
            .frontend = SoakLab::kDatagrams,
            .sinks = lab_.sinks(),
            .rate = plan_.rate,
            .windows_max = static_cast<std::size_t>(2 * plan_.seconds / plan_.every) + 16};
  }

  /// Each fault in its turn; those that restart flared in the first half of the time alone, so that
  /// its last process lives long enough to show what grows.
  void run_faults(SoakTraffic& traffic) {
    const double begun = now();
    std::size_t next = 0;
    const double end = begun + plan_.seconds;
    for (double due = begun + plan_.every / 2; due < end && now() < end; due += plan_.every) {
      stay_calm(traffic, due);
      const bool is_late = now() > begun + plan_.seconds / 2;
      while (is_late && faults_[next].restarts) next = (next + 1) % faults_.size();
      run_fault(traffic, next);
      next = (next + 1) % faults_.size();
    }
    stay_calm(traffic, end);
  }

  /// The window that is open, until that time: nothing happens, and nothing may be lost.
  void stay_calm(SoakTraffic& traffic, double until) {
    do {
      if (plan_.is_told_to_end && plan_.is_told_to_end())
        throw std::runtime_error("it was told to end");
      take_vitals();
      break_();
      hold(std::clamp(until - now(), 0.0, 1.0));
    } while (now() < until);
    const std::size_t over = traffic.open_window() - 1;
    const WindowCount count = traffic.count(over);
    over_.push_back({over, count, &result_.calm});
    ++result_.calm_windows;
    if (count.lost() > 0)
      progress_(
          fmt::format("LOST, or late, {} of {} with no fault there", count.lost(), count.sent));
  }

  void run_fault(SoakTraffic& traffic, std::size_t which) {
    const Fault& fault = faults_[which];
    FaultRow& row = result_.faults[which];
    // New programs are tried on made packets, which they must drop and count; and for a host whose
    // link is down there is nothing else to do.
    const bool may_drop = fault.restarts || !fault.may_lose.empty();
    if (may_drop) count_drops();
    try {
      fault.cause();
    } catch (const std::exception& error) {
      throw std::runtime_error(fault.name + ": " + error.what());
    }
    hold(kAfterwards);
    if (may_drop) drops_before_ = known_drops(lab_);
    if (fault.restarts) {
      result_.memory.clear();
      result_.descriptors.clear();
    }
    const std::size_t over = traffic.open_window() - 1;
    const WindowCount count = traffic.count(over);
    over_.push_back({over, count, &row.count});
    ++row.times;
    progress_(fmt::format("{:<44} {:>9} sent {:>9} received {:>7} lost{}", fault.name, count.sent,
                          count.received, count.lost(),
                          count.lost() == 0 || !fault.may_lose.empty() ? "" : "  WRONG"));
  }

  /// What counts is what has arrived by now: on a machine whose processes wait for seconds, a
  /// datagram may be later than a look at its window.
  void count_again(const SoakTraffic& traffic) {
    for (const WindowOver& one : over_) {
      const WindowCount count = traffic.count_now(one.number);
      result_.late += one.then.lost() - count.lost();
      *one.sum += count;
    }
  }

  void count_drops() {
    try {
      const KnownDrops drops = known_drops(lab_);
      result_.drops += drops - drops_before_;
      drops_before_ = drops;
    } catch (const std::exception& error) {
      if (result_.failure.empty()) result_.failure = error.what();
    }
  }

  void take_vitals() {
    const Vitals vitals = vitals_of(lab_.agent(), lab_.lab().pin_dir());
    result_.memory.add(vitals.memory);
    result_.descriptors.add(vitals.descriptors);
    result_.maps.add(vitals.maps);
    result_.map_bytes.add(vitals.map_bytes);
  }

  struct WindowOver {
    std::size_t number;
    WindowCount then;
    WindowCount* sum;  ///< of all windows of its kind
  };

  SoakPlan plan_;
  std::function<void(const std::string&)> progress_;
  std::vector<WindowOver> over_;
  KnownDrops drops_before_;
  SoakLab lab_;
  std::vector<Fault> faults_;
  std::function<void()> break_;
  SoakResult result_;
};

}  // namespace

SoakResult run_soak(const SoakPlan& plan, const std::function<void(const std::string&)>& progress) {
  return Soak(plan, progress).run();
}

}  // namespace flare::test
