#include "load/summary.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/percentile.h"

namespace flare::lab {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr int kWideBin = 5;

std::optional<double> rank_ms(std::span<const std::uint32_t> sorted, double fraction) {
  if (sorted.empty()) return std::nullopt;
  const std::uint32_t value = nearest_rank(sorted, fraction);
  if (value == kNever) return std::nullopt;
  return value / 1000.0;
}

void add(Tally& tally, const RequestRecord& record, double objective_ms) {
  ++tally.requests;
  const bool ok = record.outcome == Outcome::kOk;
  if (!ok) {
    ++tally.failed;
    ++tally.failures[std::string(to_word(record.outcome))];
  }
  if (!ok || record.done_us > objective_ms * 1000) ++tally.over_objective;
  if (!ok) return;
  if (record.tier == Tier::kVm) ++tally.vm;
  if (record.tier == Tier::kUnknown) ++tally.unknown;
  if (record.tier == Tier::kServerless) {
    ++tally.serverless;
    tally.serverless_billed_ms += (record.work_us + 999) / 1000;
  }
}

/// Grows a peak: nothing stands for infinite once a bin with requests has it.
class Peak {
 public:
  void see(const std::optional<double>& value, bool any) {
    if (!any) return;
    if (!value) infinite_ = true;
    most_ = std::max(most_, value.value_or(0));
  }
  std::optional<double> value() const {
    return infinite_ ? std::nullopt : std::optional<double>(most_);
  }

 private:
  double most_ = 0;
  bool infinite_ = false;
};

Peaks peaks_of(const std::vector<Tally>& seconds,
               const std::vector<std::vector<std::uint32_t>>& samples, double objective_ms) {
  Peaks peaks;
  Peak p50;
  Peak p95;
  Peak wide;
  for (const Tally& second : seconds) {
    const bool any = second.requests > 0;
    p50.see(second.latencies.p50_ms, any);
    p95.see(second.latencies.p95_ms, any);
    const auto over = [&](const std::optional<double>& value) {
      return any && (!value || *value > objective_ms);
    };
    peaks.seconds_p50_over += over(second.latencies.p50_ms) ? 1 : 0;
    peaks.seconds_p95_over += over(second.latencies.p95_ms) ? 1 : 0;
  }
  for (std::size_t first = 0; first < samples.size(); first += kWideBin) {
    std::vector<std::uint32_t> bin;
    for (std::size_t at = first; at < std::min(first + kWideBin, samples.size()); ++at) {
      bin.insert(bin.end(), samples[at].begin(), samples[at].end());
    }
    const bool any = !bin.empty();
    wide.see(latencies_of(std::move(bin)).p95_ms, any);
  }
  peaks.p50_ms = p50.value();
  peaks.p95_ms = p95.value();
  peaks.p95_5s_ms = wide.value();
  return peaks;
}

/// Requests begun and not over at the end of each second.
std::vector<std::int64_t> in_flight_of(std::span<const RequestRecord> records,
                                       const SummaryConfig& config) {
  std::vector<std::int64_t> change(static_cast<std::size_t>(config.seconds), 0);
  const auto note = [&](std::int64_t at_ns, std::int64_t by) {
    const auto second = static_cast<std::size_t>(std::max<std::int64_t>(at_ns, 0) / kSecondNs);
    if (second < change.size()) change[second] += by;
  };
  for (const RequestRecord& record : records) {
    std::int64_t lasted_ns = 0;  // of those that failed, only the timed out ones were open for long
    if (record.outcome == Outcome::kOk) lasted_ns = std::int64_t{record.done_us} * 1000;
    if (record.outcome == Outcome::kTimeout) lasted_ns = config.timeout_ns;
    note(record.intended_ns, 1);
    note(record.intended_ns + lasted_ns, -1);
  }
  for (std::size_t second = 1; second < change.size(); ++second) {
    change[second] += change[second - 1];
  }
  return change;
}

nlohmann::json to_json(const std::optional<double>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json(nullptr);
}

nlohmann::json to_json(const Tally& tally) {
  return {{"requests", tally.requests},
          {"vm", tally.vm},
          {"serverless", tally.serverless},
          {"unknown_tier", tally.unknown},
          {"failed", tally.failed},
          {"failures", tally.failures},
          {"over_objective", tally.over_objective},
          {"serverless_billed_ms", tally.serverless_billed_ms},
          {"p50_ms", to_json(tally.latencies.p50_ms)},
          {"p95_ms", to_json(tally.latencies.p95_ms)},
          {"p99_ms", to_json(tally.latencies.p99_ms)}};
}

}  // namespace

Latencies latencies_of(std::vector<std::uint32_t> samples_us) {
  std::ranges::sort(samples_us);
  const std::span<const std::uint32_t> sorted = samples_us;
  return {rank_ms(sorted, 0.50), rank_ms(sorted, 0.95), rank_ms(sorted, 0.99)};
}

Summary summarise(std::span<const RequestRecord> records, const SummaryConfig& config) {
  Summary summary;
  const double objective_ms = config.objective_ms;
  const auto count = static_cast<std::size_t>(config.seconds);
  summary.seconds.resize(count);
  std::vector<std::vector<std::uint32_t>> samples(count);
  std::vector<std::uint32_t> all;
  for (const RequestRecord& record : records) {
    if (record.intended_ns < 0) {
      add(summary.lead_in, record, objective_ms);
      continue;
    }
    const auto second = static_cast<std::size_t>(record.intended_ns / kSecondNs);
    if (second >= count) continue;
    add(summary.seconds[second], record, objective_ms);
    add(summary.total, record, objective_ms);
    samples[second].push_back(record.done_us);
    all.push_back(record.done_us);
  }
  for (std::size_t second = 0; second < count; ++second) {
    summary.seconds[second].latencies = latencies_of(samples[second]);
  }
  summary.total.latencies = latencies_of(std::move(all));
  summary.peaks = peaks_of(summary.seconds, samples, objective_ms);
  summary.in_flight = in_flight_of(records, config);
  return summary;
}

Lateness lateness_of(std::vector<std::uint32_t> lateness_us) {
  if (lateness_us.empty()) return {};
  std::ranges::sort(lateness_us);
  const std::span<const std::uint32_t> sorted = lateness_us;
  return {nearest_rank(sorted, 0.50) / 1000.0, nearest_rank(sorted, 0.99) / 1000.0,
          sorted.back() / 1000.0};
}

nlohmann::json to_json(const Summary& summary) {
  nlohmann::json seconds = nlohmann::json::array();
  for (std::size_t second = 0; second < summary.seconds.size(); ++second) {
    nlohmann::json entry = to_json(summary.seconds[second]);
    entry["second"] = second;
    entry["in_flight"] = summary.in_flight[second];
    seconds.push_back(std::move(entry));
  }
  return {{"total", to_json(summary.total)},
          {"lead_in", to_json(summary.lead_in)},
          {"peak",
           {{"p50_ms", to_json(summary.peaks.p50_ms)},
            {"p95_ms", to_json(summary.peaks.p95_ms)},
            {"p95_5s_ms", to_json(summary.peaks.p95_5s_ms)},
            {"seconds_p50_over", summary.peaks.seconds_p50_over},
            {"seconds_p95_over", summary.peaks.seconds_p95_over}}},
          {"seconds", std::move(seconds)}};
}

}  // namespace flare::lab
