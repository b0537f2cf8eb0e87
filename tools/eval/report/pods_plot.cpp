#include "eval/report/pods_plot.h"

#include <algorithm>

namespace flare::eval {
namespace {

using lab::Frame;
using lab::Point;

using SampleValue = double FleetSample::*;

/// A line in steps: a value holds until the next sample.
void draw_steps(lab::Svg& svg, const Frame& frame, const Fleet& fleet, SampleValue value,
                const lab::Stroke& stroke) {
  std::vector<Point> points;
  for (const FleetSample& sample : fleet.samples) {
    if (sample.t_s < frame.x.low || sample.t_s > frame.x.high) continue;
    const Point point = frame.at(sample.t_s, sample.*value);
    if (!points.empty()) points.push_back({point.x, points.back().y});
    points.push_back(point);
  }
  if (points.size() > 1) svg.polyline(without_level(std::move(points)), stroke);
}

struct Mark {
  std::string_view event;
  std::string_view colour;
  double lane;  ///< pixels above the frame's foot
};

constexpr Mark kMarks[] = {{"node-requested", "var(--event-1)", 19},
                           {"node-up", "var(--event-2)", 12},
                           {"pod-ready", "var(--event-3)", 5}};

/// A tick for each event, in a lane a kind.
void draw_events(lab::Svg& svg, const Frame& frame, const Fleet& fleet) {
  for (const FleetEvent& event : fleet.events) {
    if (event.t_s < frame.x.low || event.t_s > frame.x.high) continue;
    const auto* mark = std::ranges::find(kMarks, event.event, &Mark::event);
    if (mark == std::end(kMarks)) continue;
    const Point foot = frame.at(event.t_s, frame.y.low);
    svg.rectangle({foot.x - 1, foot.y - mark->lane}, 2.4, 6, mark->colour);
  }
}

double most_pods(const std::vector<Panel>& panels) {
  double most = 4;
  for (const Panel& panel : panels) {
    for (const FleetSample& sample : panel.median->fleet.samples) {
      most = std::max({most, sample.pods_ready, sample.pods_wanted});
    }
  }
  return most;
}

}  // namespace

Plot pods_plot(const std::vector<Panel>& panels) {
  constexpr Key kLegend[] = {
      {"pods ready", kInks.ink, "", false},    {"pods wanted", kInks.ink, "5 3", false},
      {"nodes", kFaint, "2 2", false},         {"node requested", kMarks[0].colour, "", true},
      {"node up", kMarks[1].colour, "", true}, {"pod ready", kMarks[2].colour, "", true}};
  Multiples plot(panels, {"pods, nodes", 0, 1.1 * most_pods(panels)}, kLegend);
  for (std::size_t i = 0; i < panels.size(); ++i) {
    const Frame frame = plot.frame(i);
    const Fleet& fleet = panels[i].median->fleet;
    draw_steps(plot.svg(), frame, fleet, &FleetSample::nodes, {kFaint, 1.2, "2 2"});
    draw_steps(plot.svg(), frame, fleet, &FleetSample::pods_wanted,
               {panels[i].policy.colour, 1.4, "5 3"});
    draw_steps(plot.svg(), frame, fleet, &FleetSample::pods_ready,
               {panels[i].policy.colour, 2.2, ""});
    draw_events(plot.svg(), frame, fleet);
  }
  return {"Pods, and what the autoscaler did",
          "The median run. Ticks at the foot are the autoscaler's events: a node asked for, a node "
          "booted, a pod that may serve.",
          plot.element("Pods ready and wanted over time, a panel for each policy")};
}

}  // namespace flare::eval
