#include "eval/report/bars.h"

#include <algorithm>
#include <cmath>

#include "eval/report/cost.h"

namespace flare::eval {
namespace {

using lab::Anchor;
using lab::Svg;

constexpr double kNames = 160;
constexpr double kChart = 210;
constexpr double kChartStep = 295;
constexpr double kTop = 34;
constexpr double kRow = 26;
constexpr double kBar = 16;
constexpr double kCutFactor = 4;  ///< a bar so much longer than the next is cut

struct Chart {
  std::string_view title;
  Unit unit;
  Figure figure;
};

/// What a full bar stands for: the longest, or somewhat more than the second where the longest
/// would leave no room for the others.
double scale_of(const std::vector<Spread>& spreads) {
  std::vector<double> values;
  for (const Spread& spread : spreads) {
    if (std::isfinite(spread.median)) values.push_back(spread.median);
  }
  if (values.empty()) return 1;
  std::ranges::sort(values, std::greater());
  const double second = values.size() > 1 ? values[1] : values[0];
  const bool cut = second > 0 && values[0] > kCutFactor * second;
  return std::max(cut ? 2 * second : values[0], 1e-9);
}

void draw_bar(Svg& svg, lab::Point at, const Spread& spread, double scale, const Policy& policy,
              Unit unit) {
  const auto length = [&](double value) { return kChart * std::clamp(value / scale, 0.0, 1.0); };
  svg.rectangle(at, std::max(length(spread.median), 1.0), kBar, policy.colour);
  if (spread.median > scale) {
    svg.line({at.x + kChart - 14, at.y + kBar + 2}, {at.x + kChart - 6, at.y - 2},
             {"var(--page)", 4, ""});
  }
  if (spread.runs > 1 && spread.most > spread.least) {
    const double y = at.y + kBar / 2;
    svg.line({at.x + length(spread.least), y}, {at.x + length(spread.most), y},
             {kInks.ink, 1.6, ""});
  }
  // "never answered" in full would reach into the next chart.
  const std::string figure = std::isinf(spread.median) ? "never" : text_of(spread.median, unit);
  const double end = std::max(length(spread.median), length(std::min(spread.most, scale)));
  svg.text({at.x + end + 6, at.y + kBar - 3}, figure, 12, Anchor::kStart, kInks.ink);
}

void draw_chart(Svg& svg, double left, const Results& results, const std::vector<Panel>& panels,
                const Chart& chart) {
  std::vector<Spread> spreads;
  spreads.reserve(panels.size());
  for (const Panel& panel : panels) {
    spreads.push_back(spread_of(results, panel.cell, chart.figure));
  }
  const double scale = scale_of(spreads);
  svg.text({left, kTop - 12}, chart.title, 13, Anchor::kStart, kInks.ink, "bold");
  for (std::size_t i = 0; i < panels.size(); ++i) {
    const double top = kTop + kRow * static_cast<double>(i);
    draw_bar(svg, {left, top}, spreads[i], scale, panels[i].policy, chart.unit);
  }
  const double foot = kTop + kRow * static_cast<double>(panels.size());
  svg.line({left, kTop - 4}, {left, foot}, {kInks.ink, 1, ""});
}

}  // namespace

Plot bars_plot(const Source& source, const std::vector<Panel>& panels) {
  const Chart charts[] = {
      {"Peak P95 of a second", Unit::kMs, [](const Run& run) { return run.measures.peak_p95_ms; }},
      {"Seconds with P95 over the objective", Unit::kSeconds,
       [](const Run& run) { return run.measures.p95_over.seconds; }},
      {"Requests to serverless", Unit::kCount,
       [](const Run& run) { return static_cast<double>(run.measures.spilled.requests); }},
      {"Cost of serverless, the run", Unit::kUsd,
       [&](const Run& run) { return costs_of(run, source.prices).serverless_usd; }}};
  const int height = static_cast<int>(kTop + kRow * static_cast<double>(panels.size())) + 8;
  Svg svg(static_cast<int>(kNames + 4 * kChartStep), height, "");
  for (std::size_t i = 0; i < panels.size(); ++i) {
    const double top = kTop + kRow * static_cast<double>(i);
    svg.text({kNames - 12, top + kBar - 3}, panels[i].policy.label, 13, Anchor::kEnd, kInks.ink);
  }
  double left = kNames;
  for (const Chart& chart : charts) {
    draw_chart(svg, left, source.results, panels, chart);
    left += kChartStep;
  }
  return {"Policies compared",
          "Bars are the median run, thin lines the least and the most of all valid runs. A bar cut "
          "by a "
          "gap is longer than the chart: its figure counts.",
          svg.element("Bars: peak P95, seconds over the objective, serverless requests and cost")};
}

}  // namespace flare::eval
