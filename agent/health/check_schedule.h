// Who is checked when: spread, with jitter, each by its own interval. No clock, no socket.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <set>
#include <unordered_map>
#include <utility>

namespace flare {

/// Times are CLOCK_MONOTONIC; a key is whatever its user wants it to be.
class CheckSchedule {
 public:
  explicit CheckSchedule(std::uint64_t seed) : random_(seed) {}

  /// Adds a key, whose first check is at a random moment of the next interval, or gives it another
  /// interval from its next check on.
  void set(std::uint64_t key, std::uint64_t interval_ns, std::uint64_t now_ns);
  void remove(std::uint64_t key);

  /// The next check of `key` is due now; where one is running, as soon as it is done.
  void hurry(std::uint64_t key, std::uint64_t now_ns);

  /// When the next check is due; nothing where none waits.
  std::optional<std::uint64_t> next_due_ns() const;

  /// The key that is due longest, which is running from now on. Nothing where none is due.
  std::optional<std::uint64_t> take(std::uint64_t now_ns);
  /// The check of `key` that was taken at `started_ns` is over. The next one is an interval, give
  /// or take 20 %, after its start.
  void done(std::uint64_t key, std::uint64_t started_ns, std::uint64_t now_ns);

  /// By how much of its interval the check that was taken last was late: 1 is a whole one.
  double lateness() const { return lateness_; }
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::uint64_t interval_ns = 0;
    std::uint64_t due_ns = 0;
    std::uint64_t started_ns = 0;
    bool running = false;
    bool hurried = false;
  };

  void wait_until(std::uint64_t key, Entry& entry, std::uint64_t due_ns);
  std::uint64_t random_below(std::uint64_t bound);

  std::minstd_rand random_;
  std::unordered_map<std::uint64_t, Entry> entries_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> waiting_;  ///< (due_ns, key)
  double lateness_ = 0;
};

}  // namespace flare
