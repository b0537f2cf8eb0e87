#include "backend/work_queue.h"

namespace flare::lab {

void WorkQueue::add(std::uint64_t job, std::uint64_t work_ns, std::uint64_t now_ns) {
  if (slots_ != 0 && working_.size() >= slots_) {
    waiting_.push_back({job, work_ns});
  } else {
    start(job, work_ns, now_ns);
  }
}

std::optional<std::uint64_t> WorkQueue::next_done_ns() const {
  if (working_.empty()) return std::nullopt;
  return working_.top().done_ns;
}

std::optional<std::uint64_t> WorkQueue::take_done(std::uint64_t now_ns) {
  if (working_.empty() || working_.top().done_ns > now_ns) return std::nullopt;
  const Working done = working_.top();
  working_.pop();
  if (!waiting_.empty()) {
    const Waiting next = waiting_.front();
    waiting_.pop_front();
    start(next.job, next.work_ns, done.done_ns);
  }
  return done.job;
}

void WorkQueue::start(std::uint64_t job, std::uint64_t work_ns, std::uint64_t start_ns) {
  working_.push({start_ns + work_ns, started_++, job});
}

}  // namespace flare::lab
