#include "eval/report/plots.h"

#include <algorithm>
#include <cmath>

#include "eval/report/bars.h"
#include "eval/report/panels.h"
#include "eval/report/pods_plot.h"

namespace flare::eval {
namespace {

using lab::Anchor;
using lab::Frame;
using lab::Point;
using lab::Svg;

const SeriesSecond& at(const Run& run, std::size_t second) { return run.measures.series[second]; }

double p50(const Run& run, std::size_t second) { return at(run, second).p50_ms; }
double p95(const Run& run, std::size_t second) { return at(run, second).p95_ms; }
double share(const Run& run, std::size_t second) { return at(run, second).share(); }
double asked(const Run& run, std::size_t second) { return run.rates[second]; }
double nothing(const Run&, std::size_t) { return 0; }
double failed(const Run& run, std::size_t second) {
  return static_cast<double>(at(run, second).failed);
}
double vm_above_failed(const Run& run, std::size_t second) {
  return failed(run, second) + static_cast<double>(at(run, second).vm);
}
double all_answers(const Run& run, std::size_t second) {
  return vm_above_failed(run, second) + static_cast<double>(at(run, second).serverless);
}
double vm_open(const Run& run, std::size_t second) {
  return static_cast<double>(at(run, second).vm_open);
}
double serverless_open(const Run& run, std::size_t second) {
  return static_cast<double>(at(run, second).serverless_open);
}

Plot load_plot(const std::vector<Panel>& panels) {
  constexpr Key kLegend[] = {{"answered by VMs", kVmColour, "", true},
                             {"answered by serverless", kServerlessColour, "", true},
                             {"failed", kFailedColour, "", true},
                             {"asked for by the trace", kInks.ink, "", false}};
  const double most = std::max(most_of(panels, asked), most_of(panels, all_answers));
  Multiples plot(panels, {"requests a second", 0, 1.08 * most}, kLegend);
  for (std::size_t i = 0; i < panels.size(); ++i) {
    plot.area(i, vm_above_failed, all_answers, kServerlessColour);
    plot.area(i, failed, vm_above_failed, kVmColour);
    if (panels[i].median->measures.failed > 0) plot.area(i, nothing, failed, kFailedColour);
    plot.line(i, asked, {kInks.ink, 1.2, ""});
  }
  return {"Load asked for, and who answered it",
          "Each second's requests by the tier that answered them, stacked; the dotted line is the "
          "onset. Users who wait for answers (closed loop) ask for less than the trace while the "
          "answers are late.",
          plot.element("Load by tier over time, a panel for each policy")};
}

/// What the controller asked for, where there is one.
void draw_control(Multiples& plot, std::size_t index, const Run& run) {
  const Frame place = plot.frame(index);
  std::vector<Point> points;
  for (const ControlSample& sample : run.control) {
    if (!sample.share || sample.t_s < place.x.low || sample.t_s > place.x.high) continue;
    points.push_back(place.at(sample.t_s, 100 * *sample.share));
  }
  if (points.size() > 1) {
    plot.svg().polyline(without_level(std::move(points)), {kInks.ink, 1, "2 2"});
  }
}

Plot share_plot(const std::vector<Panel>& panels) {
  constexpr Key kLegend[] = {
      {"measured: median run, and least to most of all runs", kInks.ink, "", false},
      {"what the controller told", kInks.ink, "2 2", false}};
  // A tier that takes everything needs no room; the others are told apart.
  double most = 10;
  for (const Panel& panel : panels) {
    if (panel.policy.name != "serverless-only") most = std::max(most, most_of({panel}, share));
  }
  Multiples plot(panels, {"% of requests", 0, std::min(100.0, 1.1 * most)}, kLegend);
  for (std::size_t i = 0; i < panels.size(); ++i) {
    plot.band(i, share, panels[i].policy.colour);
    draw_control(plot, i, *panels[i].median);
    plot.line(i, share, {panels[i].policy.colour, 1.8, ""});
  }
  return {"Share of requests sent to serverless",
          "Of the requests that were to start in a second, those that serverless answered. What is "
          "above the axis is drawn at its top (serverless-only: always 100 %). Cap decides for "
          "each connection: its controller tells no share.",
          plot.element("Share sent to serverless over time, a panel for each policy")};
}

/// The axis of latencies, whose top is above all that is finite.
Axis latency_axis(const std::vector<Panel>& panels) {
  double high = 1000;
  for (const Panel& panel : panels) high = std::max(high, panel.median->objective_ms);
  high = std::max(high, most_of(panels, p95));
  return {"milliseconds (log)", 30, 1.5 * high, true};
}

void draw_objective(Svg& svg, const Frame& frame, const Axis& axis, const Run& run) {
  const double y = axis.place(run.objective_ms);
  svg.line(frame.at(frame.x.low, y), frame.at(frame.x.high, y), {kInks.ink, 1.2, "6 4"});
}

/// A bar at the top over each second whose P95 was never answered.
void draw_never(Svg& svg, const Frame& frame, const Run& run) {
  for (std::size_t second = 0; second < seconds_of(run); ++second) {
    if (std::isfinite(p95(run, second))) continue;
    const Point from = frame.at(static_cast<double>(second), frame.y.high);
    const Point to = frame.at(static_cast<double>(second) + 1, frame.y.high);
    svg.rectangle({from.x, from.y - 5}, to.x - from.x, 5, kFailedColour);
  }
}

Plot latency_plot(const std::vector<Panel>& panels) {
  constexpr Key kLegend[] = {
      {"P95: median run, and least to most of all runs", kInks.ink, "", false},
      {"P50", kFaint, "", false},
      {"objective for P95", kInks.ink, "6 4", false},
      {"P95 never answered", kFailedColour, "", true}};
  Multiples plot(panels, latency_axis(panels), kLegend);
  for (std::size_t i = 0; i < panels.size(); ++i) {
    const Frame frame = plot.frame(i);
    plot.band(i, p95, panels[i].policy.colour);
    draw_objective(plot.svg(), frame, plot.axis(), *panels[i].median);
    plot.line(i, p50, {kFaint, 1.4, ""});
    plot.line(i, p95, {panels[i].policy.colour, 2, ""});
    draw_never(plot.svg(), frame, *panels[i].median);
  }
  return {
      "Latency: P50 and P95 of each second",
      "From the intended start to the last byte, by the second of the intended start; logarithmic "
      "axis. A second whose P95 was never answered is at the top, under a bar.",
      plot.element("P50 and P95 over time, a panel for each policy")};
}

Plot in_flight_plot(const std::vector<Panel>& panels) {
  constexpr Key kLegend[] = {{"VMs: median run, and least to most", kVmColour, "", false},
                             {"serverless", kServerlessColour, "", false},
                             {"the controller's cap", kInks.ink, "4 3", false}};
  const double most = std::max(most_of(panels, vm_open), most_of(panels, serverless_open));
  Multiples plot(panels, {"requests open (log)", 1, 1.3 * std::max(most, 30.0), true}, kLegend);
  for (std::size_t i = 0; i < panels.size(); ++i) {
    plot.band(i, vm_open, kVmColour);
    plot.line(i, vm_open, {kVmColour, 1.8, ""});
    plot.line(i, serverless_open, {kServerlessColour, 1.8, ""});
    const Frame frame = plot.frame(i);
    std::vector<Point> caps;
    for (const ControlSample& sample : panels[i].median->control) {
      if (!sample.cap || sample.t_s < 0) continue;
      caps.push_back(frame.at(sample.t_s, plot.axis().place(*sample.cap)));
    }
    if (caps.size() > 1) {
      plot.svg().polyline(without_level(std::move(caps)), {kInks.ink, 1.2, "4 3"});
    }
  }
  return {
      "Requests in flight",
      "Sent and not yet answered at the end of each second, by the client's log, by the tier that "
      "answered; those that nobody answered count with the VMs. Logarithmic axis, 0 is at its "
      "foot.",
      plot.element("Requests in flight over time, a panel for each policy")};
}

Plot overlay_plot(const std::vector<Panel>& panels) {
  std::vector<Key> legend;
  legend.reserve(panels.size());
  for (const Panel& panel : panels) {
    legend.push_back({panel.policy.label, panel.policy.colour, panel.policy.dash, false});
  }
  Svg svg(1340, 400, "");
  const Axis axis = latency_axis(panels);
  const Frame frame = {
      {66, 50}, 1250, 300, {0, seconds_of(panels)}, {axis.place(axis.low), axis.place(axis.high)}};
  draw_keys(svg, {66, 18}, legend);
  draw_value_axis(svg, frame, axis, true);
  draw_time_axis(svg, frame, true);
  draw_onset(svg, frame, *panels.front().median);
  draw_objective(svg, frame, axis, *panels.front().median);
  const Point words = frame.at(frame.x.low, axis.place(panels.front().median->objective_ms));
  svg.text({words.x + 6, words.y - 6},
           "objective " + text_of(panels.front().median->objective_ms, Unit::kMs), 12,
           Anchor::kStart, kInks.ink);
  for (const Panel& panel : panels) {
    std::vector<Point> points;
    for (std::size_t second = 0; second < seconds_of(*panel.median); ++second) {
      points.push_back(
          frame.at(static_cast<double>(second) + 0.5, axis.place(p95(*panel.median, second))));
    }
    svg.polyline(points, {panel.policy.colour, 2, panel.policy.dash});
  }
  return {
      "P95 of all policies",
      "The median run's P95 of each second of intended starts; logarithmic axis. A line at the top "
      "was never answered. The dotted line is the onset.",
      svg.element("P95 over time of all policies in one frame")};
}

}  // namespace

std::vector<Plot> group_plots(const Source& source, const Cell& group) {
  const std::vector<Panel> panels = panels_of(source.results, group);
  if (panels.empty()) return {};
  return {overlay_plot(panels), bars_plot(source, panels), load_plot(panels), share_plot(panels),
          latency_plot(panels), in_flight_plot(panels),    pods_plot(panels)};
}

}  // namespace flare::eval
