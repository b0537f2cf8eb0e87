// One run: starts what is due, gives up what is late, prints the line of each second.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "common/alarm.h"
#include "load/arrivals.h"
#include "load/client.h"
#include "load/progress.h"
#include "load/record.h"
#include "loop/event_loop.h"

namespace flare::lab {

struct RunConfig {
  RatePlan plan;
  std::uint64_t timeout_ns = 10'000'000'000;  ///< after the intended start
  std::optional<std::uint64_t> zero_ns;       ///< of the clock, when second 0 starts; nothing: soon
  ClientConfig client;
};

/// Lives until all requests have ended.
class Run {
 public:
  using Printer = std::function<void(const std::string& line)>;

  /// Fails where second 0 is asked for too soon for the lead-in.
  static Result<std::unique_ptr<Run>> start(EventLoop& loop, const Clock& clock, RunConfig config,
                                            std::unique_ptr<Arrivals> arrivals, Printer printer);
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  /// The clock's time at the start of second 0, from which the records count.
  std::uint64_t zero_ns() const { return zero_ns_; }
  const std::vector<RequestRecord>& records() const { return records_; }
  const std::vector<std::uint32_t>& lateness_us() const { return lateness_us_; }
  std::uint32_t connections_made() const { return client_.connections_made(); }

 private:
  struct Deadline {
    std::int64_t at_ns;
    std::size_t index;
  };

  Run(EventLoop& loop, const Clock& clock, RunConfig config, std::unique_ptr<Arrivals> arrivals,
      Printer printer);
  void tick();
  void start_due();
  void give_up_due();
  void print_due();
  void arm();
  void on_ended(std::size_t index);
  std::int64_t now_ns() const { return static_cast<std::int64_t>(clock_.now_ns() - zero_ns_); }

  EventLoop& loop_;
  const Clock& clock_;
  RunConfig config_;
  std::unique_ptr<Arrivals> arrivals_;
  Printer printer_;
  std::uint64_t zero_ns_;  ///< of the clock, when second 0 starts
  std::unique_ptr<Alarm> alarm_;
  std::vector<RequestRecord> records_;
  std::vector<std::uint32_t> users_;  ///< by record
  std::vector<std::uint32_t> lateness_us_;
  std::deque<Deadline> deadlines_;
  std::size_t in_flight_ = 0;
  int line_second_;  ///< the next line is about this second
  Progress progress_;
  Client client_;
};

}  // namespace flare::lab
