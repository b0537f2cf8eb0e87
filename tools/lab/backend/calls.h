// The calls that a service makes for a request before it answers it: all at once, or in turn.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "backend/caller.h"
#include "base/clock.h"
#include "base/result.h"
#include "common/http_head.h"
#include "loop/event_loop.h"

namespace flare::lab {

struct CallsConfig {
  CallerConfig caller;                   ///< every request calls all of its targets
  bool in_sequence = false;              ///< one after the other; the first that fails is the last
  std::optional<std::size_t> tier_from;  ///< of the targets: whose answer says the tier
};

/// What came of a request's calls.
struct CallsResult {
  std::string failures;               ///< a line a failed call, which and how; empty: all is well
  std::optional<HttpHead> tier_from;  ///< the answer of that target, where it came
};

class Calls {
 public:
  using Ended = std::function<void(const CallsResult& result)>;

  static Result<std::unique_ptr<Calls>> make(EventLoop& loop, const Clock& clock,
                                             CallsConfig config);

  /// Makes the calls with these header `fields` (lines, each with its end), and calls `ended` once
  /// when all have ended, maybe before it returns.
  void begin(std::string fields, Ended ended);

  bool passes_tier_on() const { return config_.tier_from.has_value(); }
  std::uint64_t made() const { return made_; }
  std::uint64_t failed() const { return failed_; }

 private:
  /// The calls of one request.
  struct Group {
    std::string fields;
    Ended ended;
    std::size_t left;  ///< calls that have not ended
    CallsResult result;
  };

  Calls(CallsConfig config, std::unique_ptr<Caller> caller)
      : config_(std::move(config)), caller_(std::move(caller)) {}
  void call(std::uint64_t id, std::size_t target);
  void on_answer(std::uint64_t id, std::size_t target, const CallAnswer& answer);

  CallsConfig config_;
  std::unique_ptr<Caller> caller_;
  std::unordered_map<std::uint64_t, Group> groups_;
  std::uint64_t next_id_ = 0;
  std::uint64_t made_ = 0;
  std::uint64_t failed_ = 0;
};

}  // namespace flare::lab
