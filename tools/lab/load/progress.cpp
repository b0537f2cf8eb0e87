#include "load/progress.h"

#include <cstdio>
#include <utility>

#include "load/summary.h"

namespace flare::lab {
namespace {

std::string milliseconds(const std::optional<double>& value) {
  char text[32];
  if (!value) return "   -";
  std::snprintf(text, sizeof(text), "%4.0f", *value);
  return text;
}

}  // namespace

void Progress::ended(const RequestRecord& record) {
  samples_us_.push_back(record.done_us);
  if (record.outcome != Outcome::kOk) {
    ++failed_;
  } else if (record.tier == Tier::kServerless) {
    ++serverless_;
  } else {
    ++vm_;
  }
}

std::string Progress::line(int second, std::size_t in_flight) {
  const Latencies latencies = latencies_of(std::exchange(samples_us_, {}));
  const double answered = static_cast<double>(vm_ + serverless_);
  const double share = answered > 0 ? 100 * static_cast<double>(serverless_) / answered : 0;
  char text[160];
  std::snprintf(text, sizeof(text),
                "%4d s | %4llu RPS | in flight %4zu | vm %5.1f %%  serverless %5.1f %% | "
                "P50 %s ms  P95 %s ms | failed %llu",
                second, static_cast<unsigned long long>(started_), in_flight,
                answered > 0 ? 100 - share : 0, share, milliseconds(latencies.p50_ms).c_str(),
                milliseconds(latencies.p95_ms).c_str(), static_cast<unsigned long long>(failed_));
  started_ = vm_ = serverless_ = failed_ = 0;
  return text;
}

}  // namespace flare::lab
