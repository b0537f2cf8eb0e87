#include "health/check_schedule.h"

#include <algorithm>

namespace flare {

std::uint64_t CheckSchedule::random_below(std::uint64_t bound) {
  return std::uniform_int_distribution<std::uint64_t>(
      0, std::max<std::uint64_t>(bound, 1) - 1)(random_);
}

void CheckSchedule::wait_until(std::uint64_t key, Entry& entry, std::uint64_t due_ns) {
  if (!entry.running) waiting_.erase({entry.due_ns, key});
  entry.running = false;
  entry.hurried = false;
  entry.due_ns = due_ns;
  waiting_.insert({due_ns, key});
}

void CheckSchedule::set(std::uint64_t key, std::uint64_t interval_ns, std::uint64_t now_ns) {
  const auto [found, added] = entries_.try_emplace(key);
  found->second.interval_ns = interval_ns;
  if (added) wait_until(key, found->second, now_ns + random_below(interval_ns));
}

void CheckSchedule::remove(std::uint64_t key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  if (!found->second.running) waiting_.erase({found->second.due_ns, key});
  entries_.erase(found);
}

void CheckSchedule::hurry(std::uint64_t key, std::uint64_t now_ns) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  if (found->second.running) {
    found->second.hurried = true;
  } else {
    wait_until(key, found->second, std::min(found->second.due_ns, now_ns));
  }
}

std::optional<std::uint64_t> CheckSchedule::next_due_ns() const {
  if (waiting_.empty()) return std::nullopt;
  return waiting_.begin()->first;
}

std::optional<std::uint64_t> CheckSchedule::take(std::uint64_t now_ns) {
  if (waiting_.empty() || waiting_.begin()->first > now_ns) return std::nullopt;
  const auto [due_ns, key] = *waiting_.begin();
  waiting_.erase(waiting_.begin());
  Entry& entry = entries_.at(key);
  entry.running = true;
  entry.started_ns = now_ns;
  lateness_ = static_cast<double>(now_ns - due_ns) /
              static_cast<double>(std::max<std::uint64_t>(entry.interval_ns, 1));
  return key;
}

void CheckSchedule::done(std::uint64_t key, std::uint64_t started_ns, std::uint64_t now_ns) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  // The key may have been removed and added since, and be running for another owner.
  if (!entry.running || entry.started_ns != started_ns) return;
  const std::uint64_t fifth = entry.interval_ns / 5;
  const std::uint64_t next_ns =
      entry.started_ns + entry.interval_ns - fifth + random_below(2 * fifth + 1);
  wait_until(key, entry, entry.hurried ? now_ns : std::max(next_ns, now_ns));
}

}  // namespace flare
