#include "backend/work_queue.h"

#include <cassert>

namespace flare::lab {

void WorkQueue::add(std::uint64_t job, std::uint64_t work_ns, std::uint64_t now_ns, After after) {
  if (slots_ != 0 && busy() >= slots_) {
    waiting_.push_back({job, work_ns, after});
  } else {
    start({job, work_ns, after}, now_ns);
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
  if (done.after == After::kHold) {
    ++held_;
  } else {
    start_next(done.done_ns);
  }
  return done.job;
}

void WorkQueue::release(std::uint64_t now_ns) {
  assert(held_ > 0);
  --held_;
  start_next(now_ns);
}

void WorkQueue::start(const Waiting& job, std::uint64_t start_ns) {
  working_.push({start_ns + job.work_ns, started_++, job.job, job.after});
}

void WorkQueue::start_next(std::uint64_t start_ns) {
  if (waiting_.empty()) return;
  const Waiting next = waiting_.front();
  waiting_.pop_front();
  start(next, start_ns);
}

}  // namespace flare::lab
