#include "load/arrivals.h"

#include <algorithm>
#include <cmath>

#include "common/random.h"

namespace flare::lab {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;

/// The second that holds `at_ns`, which may be negative.
int second_of(std::int64_t at_ns) {
  return static_cast<int>((at_ns >= 0 ? at_ns : at_ns - kSecondNs + 1) / kSecondNs);
}

class OpenArrivals final : public Arrivals {
 public:
  explicit OpenArrivals(std::vector<std::int64_t> times) : times_(std::move(times)) {}

  std::optional<Arrival> peek() const override {
    if (next_ == times_.size()) return std::nullopt;
    return Arrival{times_[next_], 0};
  }
  void pop() override { ++next_; }
  void ended(const Arrival&, std::int64_t) override {}

 private:
  std::vector<std::int64_t> times_;
  std::size_t next_ = 0;
};

class UserArrivals final : public Arrivals {
 public:
  UserArrivals(const RatePlan& plan, std::uint64_t seed) : plan_(plan) {
    const double most = *std::ranges::max_element(plan_.rates);
    const auto users = static_cast<std::uint32_t>(std::lround(most));
    for (std::uint32_t user = 0; user < users; ++user) {
      const double phase = random_of(seed, user).uniform();
      schedule(user, plan_.start_ns() + static_cast<std::int64_t>(phase * 1e9));
    }
  }

  std::optional<Arrival> peek() const override {
    if (waiting_.empty()) return std::nullopt;
    return waiting_.top();
  }
  void pop() override { waiting_.pop(); }
  void ended(const Arrival& arrival, std::int64_t now_ns) override {
    schedule(arrival.user, std::max(arrival.at_ns + kSecondNs, now_ns));
  }

 private:
  struct Later {
    bool operator()(const Arrival& left, const Arrival& right) const {
      return left.at_ns != right.at_ns ? left.at_ns > right.at_ns : left.user > right.user;
    }
  };

  /// Lets `user` start at `at_ns`, or in the first second after it in which there are that many
  /// users; never where the plan has none.
  void schedule(std::uint32_t user, std::int64_t at_ns) {
    while (second_of(at_ns) < plan_.end_second()) {
      if (user < std::lround(plan_.rate_at(second_of(at_ns)))) {
        waiting_.push({at_ns, user});
        return;
      }
      at_ns += kSecondNs;
    }
  }

  RatePlan plan_;
  std::priority_queue<Arrival, std::vector<Arrival>, Later> waiting_;
};

}  // namespace

RatePlan RatePlan::with_lead_in(const std::vector<double>& measured, int lead_in) {
  RatePlan plan;
  plan.lead_in = lead_in;
  for (int second = 1; second <= lead_in; ++second) {
    plan.rates.push_back(measured.front() * second / (lead_in + 1));
  }
  plan.rates.insert(plan.rates.end(), measured.begin(), measured.end());
  return plan;
}

std::unique_ptr<Arrivals> open_arrivals(const RatePlan& plan, std::uint64_t seed) {
  Random random(seed);
  std::vector<std::int64_t> times;
  for (int second = -plan.lead_in; second < plan.end_second(); ++second) {
    const double rate = plan.rate_at(second);
    if (rate <= 0) continue;
    // Exponential gaps have no memory, so each second may start anew.
    for (double at = random.exponential() / rate; at < 1; at += random.exponential() / rate) {
      times.push_back(second * kSecondNs + static_cast<std::int64_t>(at * 1e9));
    }
  }
  return std::make_unique<OpenArrivals>(std::move(times));
}

std::unique_ptr<Arrivals> user_arrivals(const RatePlan& plan, std::uint64_t seed) {
  return std::make_unique<UserArrivals>(plan, seed);
}

}  // namespace flare::lab
