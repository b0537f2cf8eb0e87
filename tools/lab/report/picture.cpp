#include "report/picture.h"

#include <algorithm>
#include <functional>
#include <optional>

#include "report/chart.h"

namespace flare::lab {
namespace {

// Colours that stay apart for colour-blind readers and in grey (Paul Tol's "bright" and "vibrant").
constexpr std::string_view kVm = "#4477aa";
constexpr std::string_view kServerless = "#ee7733";
constexpr std::string_view kFailed = "#cc3311";
constexpr std::string_view kInk = kPaperInks.ink;
constexpr std::string_view kP50 = "#228833";
constexpr std::string_view kP95 = "#aa3377";

constexpr int kMargin = 80;
constexpr int kTop = 116;
constexpr int kColumn = 520;
constexpr int kColumnGap = 100;
constexpr int kRowGap = 74;
constexpr int kLoadHeight = 230;
constexpr int kShareHeight = 110;
constexpr int kLatencyHeight = 230;

/// What the frames of all runs have in common.
struct Scales {
  double seconds = 1;
  double load = 1;
  double latency_ms = 1;
  double share = 40;  ///< percent
};

/// The percentage of a second's requests that serverless answered.
double share_of(const RunSecond& second) {
  if (second.requests == 0) return 0;
  return 100.0 * static_cast<double>(second.serverless) / static_cast<double>(second.requests);
}

Scales scales_of(const std::vector<RunSummary>& runs, const Terms& terms) {
  Scales scales;
  scales.load = terms.capacity_rps;
  scales.latency_ms = terms.objective_ms;
  for (const RunSummary& run : runs) {
    scales.seconds = std::max(scales.seconds, static_cast<double>(run.seconds.size()));
    for (const RunSecond& second : run.seconds) {
      scales.load = std::max({scales.load, second.rate, static_cast<double>(second.requests)});
      scales.latency_ms = std::max(scales.latency_ms, second.p95_ms.value_or(0));
      scales.share = std::max(scales.share, share_of(second));
    }
  }
  scales.load *= 1.12;
  scales.latency_ms *= 1.12;
  return scales;
}

using Value = std::function<double(const RunSecond&)>;

/// The area between two values, a step of one second wide for each second.
void draw_area(Svg& svg, const Frame& frame, const RunSummary& run, const Value& low,
               const Value& high, std::string_view colour) {
  std::vector<Point> outline;
  for (std::size_t i = 0; i < run.seconds.size(); ++i) {
    const auto at = static_cast<double>(i);
    outline.push_back(frame.at(at, high(run.seconds[i])));
    outline.push_back(frame.at(at + 1, high(run.seconds[i])));
  }
  for (std::size_t i = run.seconds.size(); i-- > 0;) {
    const auto at = static_cast<double>(i);
    outline.push_back(frame.at(at + 1, low(run.seconds[i])));
    outline.push_back(frame.at(at, low(run.seconds[i])));
  }
  svg.polygon(outline, colour);
}

/// A line through the middles of the seconds.
void draw_line(Svg& svg, const Frame& frame, const RunSummary& run, const Value& value,
               const Stroke& stroke) {
  std::vector<Point> points;
  for (std::size_t i = 0; i < run.seconds.size(); ++i) {
    points.push_back(frame.at(static_cast<double>(i) + 0.5, value(run.seconds[i])));
  }
  svg.polyline(points, stroke);
}

void draw_load(Svg& svg, const Frame& frame, const RunSummary& run, const Terms& terms) {
  const auto none = [](const RunSecond&) { return 0.0; };
  const auto failed = [](const RunSecond& s) { return static_cast<double>(s.failed); };
  const auto vm = [&](const RunSecond& s) { return failed(s) + static_cast<double>(s.vm); };
  const auto all = [&](const RunSecond& s) { return vm(s) + static_cast<double>(s.serverless); };
  draw_axes(svg, frame, "requests per second");
  draw_area(svg, frame, run, none, failed, kFailed);
  draw_area(svg, frame, run, failed, vm, kVm);
  draw_area(svg, frame, run, vm, all, kServerless);
  draw_line(svg, frame, run, [](const RunSecond& s) { return s.rate; }, {kInk, 1.4, ""});
  draw_level(svg, frame, terms.capacity_rps, "VM capacity " + whole(terms.capacity_rps));
  constexpr LegendEntry kLegend[] = {
      {"VM", kVm}, {"serverless", kServerless}, {"failed", kFailed}, {"asked for", kInk}};
  draw_head(svg, frame, "Load, by who answered", kLegend);
}

void draw_share(Svg& svg, const Frame& frame, const RunSummary& run) {
  const auto none = [](const RunSecond&) { return 0.0; };
  draw_axes(svg, frame, "%", {.y = 4});
  draw_area(svg, frame, run, none, share_of, kServerless);
  draw_head(svg, frame, "Share of requests that went to serverless", {});
}

void draw_latency(Svg& svg, const Frame& frame, const RunSummary& run, const Terms& terms) {
  // What was never answered is drawn at the upper end.
  const auto p50 = [&](const RunSecond& s) { return s.p50_ms.value_or(frame.y.high); };
  const auto p95 = [&](const RunSecond& s) { return s.p95_ms.value_or(frame.y.high); };
  draw_axes(svg, frame, "milliseconds");
  draw_line(svg, frame, run, p95, {kP95, 2, ""});
  draw_line(svg, frame, run, p50, {kP50, 2, ""});
  draw_level(svg, frame, terms.objective_ms, "objective " + whole(terms.objective_ms));
  constexpr LegendEntry kLegend[] = {{"P50", kP50}, {"P95", kP95}};
  draw_head(svg, frame, "Latency, from the intended start", kLegend);
  const Point foot = frame.at((frame.x.low + frame.x.high) / 2, frame.y.low);
  svg.text({foot.x, foot.y + 40}, "seconds", 12, Anchor::kMiddle);
}

void draw_column(Svg& svg, double left, const RunSummary& run, const Terms& terms,
                 const Scales& scales) {
  const Range time{0, scales.seconds};
  const double share_top = kTop + kLoadHeight + kRowGap;
  const double latency_top = share_top + kShareHeight + kRowGap;
  svg.text({left, kTop - 42}, run.label, 17, Anchor::kStart, kInk, "bold");
  draw_load(svg, {{left, kTop}, kColumn, kLoadHeight, time, {0, scales.load}}, run, terms);
  draw_share(svg, {{left, share_top}, kColumn, kShareHeight, time, {0, scales.share}}, run);
  draw_latency(svg, {{left, latency_top}, kColumn, kLatencyHeight, time, {0, scales.latency_ms}},
               run, terms);
}

}  // namespace

std::string picture_of(const std::vector<RunSummary>& runs, const Terms& terms) {
  const int count = static_cast<int>(runs.size());
  const int width = kMargin + count * kColumn + (count - 1) * kColumnGap + kMargin / 2 + 20;
  const int height = kTop + kLoadHeight + kShareHeight + kLatencyHeight + 2 * kRowGap + 60;
  Svg svg(width, height);
  svg.text({kMargin, 30},
           "A load spike on a VM that serves " + whole(terms.capacity_rps) + " requests per second",
           20, Anchor::kStart, kInk, "bold");
  const Scales scales = scales_of(runs, terms);
  double left = kMargin;
  for (const RunSummary& run : runs) {
    draw_column(svg, left, run, terms, scales);
    left += kColumn + kColumnGap;
  }
  return svg.document();
}

}  // namespace flare::lab
