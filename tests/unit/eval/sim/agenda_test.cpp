#include "eval/sim/agenda.h"

#include <gtest/gtest.h>

#include "common/random.h"

namespace flare::eval {
namespace {

struct Due {
  std::int64_t at_ns;
};

TEST(Agenda, TakesTheEarliestFirst) {
  // As the simulator uses it: what is added is never before what was taken last.
  for (const double mean_ns : {1e3, 1e6, 1e9, 1e11}) {
    Agenda<Due> agenda;
    std::priority_queue<std::int64_t, std::vector<std::int64_t>, std::greater<>> heap;
    lab::Random random(3);
    std::int64_t now_ns = -5'000'000'000;
    for (int step = 0; step < 50'000; ++step) {
      const bool add = heap.empty() || random.uniform() < (step < 25'000 ? 0.52 : 0.48);
      if (add) {
        const auto after_ns = static_cast<std::int64_t>(random.exponential() * mean_ns);
        agenda.push({now_ns + after_ns});
        heap.push(now_ns + after_ns);
        continue;
      }
      ASSERT_FALSE(agenda.empty());
      ASSERT_EQ(agenda.top().at_ns, heap.top());
      now_ns = heap.top();
      agenda.pop();
      heap.pop();
    }
    for (; !heap.empty(); heap.pop(), agenda.pop()) ASSERT_EQ(agenda.top().at_ns, heap.top());
    EXPECT_TRUE(agenda.empty());
  }
}

}  // namespace
}  // namespace flare::eval
