// What is due, in order of time: a ring of short spans, sorted one at a time when it is reached.
#pragma once

#include <algorithm>
#include <cstdint>
#include <queue>
#include <vector>

namespace flare::eval {

/// A priority queue of `Due`, which has `at_ns`, for many that are due soon: a heap would touch a
/// dozen of them to take one. Of those due at one moment any comes first, always the same.
template <typename Due>
class Agenda {
 public:
  bool empty() const { return size_ == 0; }
  const Due& top() const { return now_.back(); }

  void push(const Due& due) {
    ++size_;
    const std::int64_t span = span_of(due.at_ns);
    if (size_ == 1) span_ = span;
    if (span <= span_) {
      now_.insert(std::upper_bound(now_.begin(), now_.end(), due, later), due);
    } else if (span < span_ + kSpans) {
      ring_[index(span)].push_back(due);
    } else {
      far_.push(due);
    }
  }

  void pop() {
    now_.pop_back();
    --size_;
    if (now_.empty() && size_ > 0) advance();
  }

 private:
  static constexpr int kSpanBits = 21;  // 2 ms
  static constexpr std::int64_t kSpans = 8192;

  struct Later {
    bool operator()(const Due& left, const Due& right) const { return later(left, right); }
  };

  static bool later(const Due& left, const Due& right) { return left.at_ns > right.at_ns; }
  static std::int64_t span_of(std::int64_t at_ns) { return at_ns >> kSpanBits; }
  static std::size_t index(std::int64_t span) {
    return static_cast<std::size_t>(span & (kSpans - 1));
  }

  /// To the next span that has something.
  void advance() {
    if (far_.size() == size_) span_ = span_of(far_.top().at_ns) - 1;
    while (now_.empty()) {
      now_.swap(ring_[index(++span_)]);
      for (; !far_.empty() && span_of(far_.top().at_ns) < span_ + kSpans; far_.pop()) {
        const std::int64_t span = span_of(far_.top().at_ns);
        (span == span_ ? now_ : ring_[index(span)]).push_back(far_.top());
      }
    }
    std::sort(now_.begin(), now_.end(), later);
  }

  std::vector<Due> now_;  ///< the last one is due first
  std::vector<std::vector<Due>> ring_ = std::vector<std::vector<Due>>(kSpans);
  std::priority_queue<Due, std::vector<Due>, Later> far_;
  std::int64_t span_ = 0;
  std::size_t size_ = 0;
};

}  // namespace flare::eval
