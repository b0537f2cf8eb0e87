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
class WorkQueue {
 public:
  /// `slots` jobs work at once; 0 means that every job starts at once.
  explicit WorkQueue(std::uint32_t slots) : slots_(slots) {}

  void add(std::uint64_t job, std::uint64_t work_ns, std::uint64_t now_ns);

  /// When the next job is done; nothing while no slot is busy.
  std::optional<std::uint64_t> next_done_ns() const;

  /// Takes out a job that is done at `now_ns`, the earliest first; nothing where none is.
  std::optional<std::uint64_t> take_done(std::uint64_t now_ns);

  std::size_t busy() const { return working_.size(); }
  std::size_t waiting() const { return waiting_.size(); }

 private:
  struct Working {
    std::uint64_t done_ns;
    std::uint64_t order;  ///< of two that end at once, the one that started first
    std::uint64_t job;
    bool operator>(const Working& other) const {
      return done_ns != other.done_ns ? done_ns > other.done_ns : order > other.order;
    }
  };
  struct Waiting {
    std::uint64_t job;
    std::uint64_t work_ns;
  };

  void start(std::uint64_t job, std::uint64_t work_ns, std::uint64_t start_ns);

  std::uint32_t slots_;
  std::uint64_t started_ = 0;
  std::priority_queue<Working, std::vector<Working>, std::greater<>> working_;
  std::deque<Waiting> waiting_;
};

}  // namespace flare::lab
