// Asks other services over HTTP/1.1, one exchange a call: connections, their reuse, and time
// limits.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "common/alarm.h"
#include "common/client_connection.h"
#include "common/http_head.h"
#include "common/outcome.h"
#include "loop/event_loop.h"
#include "model/address.h"

namespace flare::lab {

struct CallerConfig {
  std::vector<Endpoint> targets;
  bool reuse = false;  ///< keeps connections for later calls; else one a call, closed after it
  std::uint64_t timeout_ns = 10'000'000'000;  ///< of a call, its connecting included
};

/// What came of a call.
struct CallAnswer {
  Outcome outcome = Outcome::kPending;  ///< kOk for status 200 alone
  std::uint16_t status = 0;             ///< where there was an answer
  HttpHead head;                        ///< of that answer
};

/// There is no cap on connections: a call takes an idle one or opens one. It never asks twice.
class Caller {
 public:
  using Ended = std::function<void(const CallAnswer& answer)>;

  static Result<std::unique_ptr<Caller>> make(EventLoop& loop, const Clock& clock,
                                              CallerConfig config);
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;
  ~Caller();

  /// Sends a GET with these `fields` (lines, each with its end) to `targets[target]`, and calls
  /// `ended` once, maybe before it returns.
  void call(std::size_t target, const std::string& fields, Ended ended);

 private:
  struct Link {
    ClientConnection connection;
    std::size_t target;
    Ended ended;               ///< of the call that is open on it; empty: none is
    std::uint32_t events = 0;  ///< it is watched for these; 0: not yet
  };
  struct Deadline {
    std::uint64_t at_ns;
    std::uint32_t link;
    std::uint32_t request;  ///< the count of requests on that link by which it was sent
  };

  Caller(EventLoop& loop, const Clock& clock, CallerConfig config)
      : loop_(loop), clock_(clock), config_(std::move(config)), idle_(config_.targets.size()) {}
  Link* idle_link(std::size_t target);
  Link* open_link(std::size_t target, int& failed);
  void proceed(std::uint32_t id);
  void on_answer(Link& link);
  /// Closes the link, and ends the call that was open on it.
  void fail(std::uint32_t id, Outcome outcome);
  bool watch(Link& link);
  void give_up_due();
  bool is_over(const Deadline& deadline) const;

  EventLoop& loop_;
  const Clock& clock_;
  CallerConfig config_;
  std::unique_ptr<Alarm> alarm_;
  bool alarm_set_ = false;
  std::unordered_map<std::uint32_t, Link> links_;
  /// By target; used last, taken first; some may be closed by now.
  std::vector<std::vector<std::uint32_t>> idle_;
  std::deque<Deadline> deadlines_;  ///< the earliest first; some may be over by now
  std::uint32_t next_id_ = 0;
};

}  // namespace flare::lab
