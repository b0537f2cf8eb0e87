#include "eval/report/measures.h"

#include <algorithm>
#include <cmath>

#include "eval/report/excess.h"

namespace flare::eval {
namespace {

using lab::Outcome;
using lab::RequestRecord;

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr int kWideBin = 5;

double ms_of(const std::optional<double>& value) { return value.value_or(kNeverMs); }

/// The requests of the run without its lead-in, by rising intended start. Whatever failed is
/// infinitely late.
std::vector<RequestRecord> within_run(std::span<const RequestRecord> records, int seconds) {
  std::vector<RequestRecord> kept;
  for (const RequestRecord& record : records) {
    if (record.intended_ns < 0 || record.intended_ns >= seconds * kSecondNs) continue;
    kept.push_back(record);
    if (record.outcome != Outcome::kOk) kept.back().done_us = lab::kNever;
  }
  std::ranges::stable_sort(kept, {}, &RequestRecord::intended_ns);
  return kept;
}

int second_of(const RequestRecord& record) {
  return static_cast<int>(record.intended_ns / kSecondNs);
}

/// Adds 1 to what is open in the seconds at whose end the request is.
void note_open(std::vector<SeriesSecond>& series, const RequestRecord& record, double timeout_s) {
  const std::int64_t sent = record.sent_us == lab::kNever ? 0 : std::int64_t{record.sent_us} * 1000;
  std::int64_t done = sent;
  if (record.outcome == Outcome::kOk) done = std::int64_t{record.done_us} * 1000;
  if (record.outcome == Outcome::kTimeout) done = static_cast<std::int64_t>(timeout_s * 1e9);
  const std::int64_t last = (record.intended_ns + done - 1) / kSecondNs;
  for (std::int64_t at = (record.intended_ns + sent) / kSecondNs; at < last; ++at) {
    if (at >= std::ssize(series)) return;
    SeriesSecond& second = series[static_cast<std::size_t>(at)];
    ++(record.tier == lab::Tier::kServerless ? second.serverless_open : second.vm_open);
  }
}

std::vector<SeriesSecond> series_of(std::span<const RequestRecord> records,
                                    const lab::Summary& summary, const MeasureTerms& terms) {
  std::vector<SeriesSecond> series;
  for (const lab::Tally& tally : summary.seconds) {
    SeriesSecond second;
    second.requests = tally.requests;
    second.vm = tally.vm + tally.unknown;
    second.serverless = tally.serverless;
    second.failed = tally.failed;
    if (tally.requests > 0) {
      second.p50_ms = ms_of(tally.latencies.p50_ms);
      second.p95_ms = ms_of(tally.latencies.p95_ms);
    }
    series.push_back(second);
  }
  for (const RequestRecord& record : records) note_open(series, record, terms.timeout_s);
  return series;
}

std::vector<bool> over_of(const std::vector<SeriesSecond>& series, double SeriesSecond::*value,
                          double objective_ms) {
  std::vector<bool> over;
  over.reserve(series.size());
  for (const SeriesSecond& second : series) over.push_back(second.*value > objective_ms);
  return over;
}

/// P95 of bins of five seconds.
std::vector<double> wide_p95(std::span<const RequestRecord> records, int seconds) {
  std::vector<std::vector<std::uint32_t>> bins(
      static_cast<std::size_t>((seconds + kWideBin - 1) / kWideBin));
  for (const RequestRecord& record : records) {
    bins[static_cast<std::size_t>(second_of(record) / kWideBin)].push_back(record.done_us);
  }
  std::vector<double> values;
  for (std::vector<std::uint32_t>& bin : bins) {
    const bool any = !bin.empty();
    values.push_back(any ? ms_of(lab::latencies_of(std::move(bin)).p95_ms) : 0);
  }
  return values;
}

void measure_wide(Measures& found, std::span<const RequestRecord> records,
                  const MeasureTerms& terms) {
  const std::vector<double> bins = wide_p95(records, terms.seconds);
  for (std::size_t bin = 0; bin < bins.size(); ++bin) {
    found.peak_p95_5s_ms = std::max(found.peak_p95_5s_ms, bins[bin]);
    const int width = std::min(kWideBin, terms.seconds - static_cast<int>(bin) * kWideBin);
    if (bins[bin] > terms.objective_ms) found.p95_over_5s += width;
  }
}

/// What concerns the time before the onset, the window after it, and the run's tail.
void measure_parts(Measures& found, std::span<const RequestRecord> records,
                   const MeasureTerms& terms) {
  std::vector<std::uint32_t> before;
  std::uint64_t in_window = 0;
  std::uint64_t late = 0;
  for (const RequestRecord& record : records) {
    const int second = second_of(record);
    const bool spilled = record.outcome == Outcome::kOk && record.tier == lab::Tier::kServerless;
    const std::uint64_t billed_ms = spilled ? (record.work_us + 999) / 1000 : 0;
    found.spilled.requests += spilled ? 1 : 0;
    found.spilled.billed_ms += billed_ms;
    if (spilled && second >= terms.seconds - kTailSeconds) ++found.spilled_in_tail;
    if (second < terms.onset_s) {
      before.push_back(record.done_us);
      found.spilled_before.requests += spilled ? 1 : 0;
      found.spilled_before.billed_ms += billed_ms;
    } else if (second < terms.onset_s + kWindowSeconds) {
      ++in_window;
      if (record.done_us == lab::kNever || record.done_us > terms.objective_ms * 1000) ++late;
    }
  }
  found.requests_before = before.size();
  if (!before.empty()) {
    const lab::Latencies calm = lab::latencies_of(std::move(before));
    found.pre_p50_ms = ms_of(calm.p50_ms);
    found.pre_p95_ms = ms_of(calm.p95_ms);
  }
  found.window_s = std::clamp(terms.seconds - terms.onset_s, 0, kWindowSeconds);
  if (in_window > 0) found.over_share = static_cast<double>(late) / static_cast<double>(in_window);
}

}  // namespace

Violation violation_of(const std::vector<bool>& over) {
  Violation violation;
  int first = -1;
  int last = -1;
  for (int second = 0; second < std::ssize(over); ++second) {
    if (!over[static_cast<std::size_t>(second)]) continue;
    ++violation.seconds;
    if (first < 0 || second - last - 1 > kBridgedSeconds) first = second;
    last = second;
    violation.longest = std::max(violation.longest, last - first + 1);
  }
  return violation;
}

Recovery recovery_of(const std::vector<bool>& over, int onset_s) {
  const auto from = over.begin() + std::clamp<std::ptrdiff_t>(onset_s, 0, std::ssize(over));
  const auto first = std::find(from, over.end(), true);
  Recovery recovery;
  if (first == over.end()) return recovery;
  recovery.needed = true;
  int good = 0;
  for (auto at = first; at != over.end(); ++at) {
    good = *at ? 0 : good + 1;
    if (good < kRecoveredSeconds) continue;
    recovery.after_s = static_cast<int>(at - over.begin()) - kRecoveredSeconds + 1 - onset_s;
    break;
  }
  return recovery;
}

Measures measure(std::span<const RequestRecord> all, const MeasureTerms& terms) {
  const std::vector<RequestRecord> records = within_run(all, terms.seconds);
  const lab::Summary summary = lab::summarise(
      records,
      {terms.seconds, terms.objective_ms, static_cast<std::int64_t>(terms.timeout_s * 1e9)});
  Measures found;
  found.requests = summary.total.requests;
  found.failed = summary.total.failed;
  found.peak_p50_ms = ms_of(summary.peaks.p50_ms);
  found.peak_p95_ms = ms_of(summary.peaks.p95_ms);
  found.series = series_of(records, summary, terms);
  const auto p95_over = over_of(found.series, &SeriesSecond::p95_ms, terms.objective_ms);
  found.p50_over = violation_of(over_of(found.series, &SeriesSecond::p50_ms, terms.objective_ms));
  found.p95_over = violation_of(p95_over);
  found.over_at_end = !p95_over.empty() && p95_over.back();
  found.recovery = recovery_of(p95_over, terms.onset_s);
  measure_wide(found, records, terms);
  measure_parts(found, records, terms);
  const auto began = excess_start(records, terms.capacity_rps);
  if (began) {
    found.excess_began_s = static_cast<double>(records[*began].intended_ns) / 1e9;
    found.first_spill = first_spill_after(records, *began, terms.capacity_rps);
  }
  return found;
}

}  // namespace flare::eval
