// A first-come-first-served queue in front of c slots: the machine whose capacity is known.
// It reads no clock and knows no socket.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <queue>
#include <vector>

namespace flare::lab {

/// Times are nanoseconds of one clock that only grows.
///
/// A job that waited starts at the very moment its predecessor's time was over, not when somebody
/// came to look: a late wake-up delays answers, but costs no capacity, which stays slots / E[S].
/// A job that holds keeps its slot beyond its time; what it then does has an end that nobody knows
/// before, so its successor starts when it is released.
class WorkQueue {
 public:
  /// `slots` jobs work at once; 0 means that every job starts at once.
  explicit WorkQueue(std::uint32_t slots) : slots_(slots) {}

  /// Whether the slot is free when the job's time is over, or only by release().
  enum class After : std::uint8_t { kFree, kHold };

  void add(std::uint64_t job, std::uint64_t work_ns, std::uint64_t now_ns,
           After after = After::kFree);

  /// When the time of the next job is over; nothing while none works.
  std::optional<std::uint64_t> next_done_ns() const;

  /// Takes out a job whose time is over at `now_ns`, the earliest first; nothing where none is. One
  /// that holds keeps its slot.
  std::optional<std::uint64_t> take_done(std::uint64_t now_ns);
  /// Frees the slot of a job that was taken out and holds.
  void release(std::uint64_t now_ns);

  /// Slots that are not free.
  std::size_t busy() const { return working_.size() + held_; }
  std::size_t waiting() const { return waiting_.size(); }

 private:
  struct Working {
    std::uint64_t done_ns;
    std::uint64_t order;  ///< of two that end at once, the one that started first
    std::uint64_t job;
    After after;
    bool operator>(const Working& other) const {
      return done_ns != other.done_ns ? done_ns > other.done_ns : order > other.order;
    }
  };
  struct Waiting {
    std::uint64_t job;
    std::uint64_t work_ns;
    After after;
  };

  void start(const Waiting& job, std::uint64_t start_ns);
  void start_next(std::uint64_t start_ns);

  std::uint32_t slots_;
  std::uint64_t started_ = 0;
  std::size_t held_ = 0;  ///< slots of jobs that were taken out and hold
  std::priority_queue<Working, std::vector<Working>, std::greater<>> working_;
  std::deque<Waiting> waiting_;
};

}  // namespace flare::lab
