#include "eval/report/panels.h"

#include <algorithm>
#include <cmath>

namespace flare::eval {
namespace {

using lab::Anchor;
using lab::Frame;
using lab::Point;
using lab::Svg;

constexpr int kColumns = 4;
constexpr double kLeft = 66;
constexpr double kTop = 62;
constexpr double kPanelWidth = 270;
constexpr double kPanelHeight = 140;
constexpr double kColumnStep = 330;
constexpr double kRowStep = 214;

int width_of(std::size_t panels) {
  const auto columns = std::clamp<std::size_t>(panels, 2, kColumns);
  return static_cast<int>(kLeft + kColumnStep * static_cast<double>(columns - 1) + kPanelWidth) +
         14;
}

int height_of(std::size_t panels) {
  const std::size_t rows = (panels + kColumns - 1) / kColumns;
  return static_cast<int>(kTop + kRowStep * static_cast<double>(rows)) - 26;
}

/// Values of one second over all valid runs that have it.
std::pair<double, double> range_at(const Panel& panel, std::size_t second, const ValueAt& value) {
  double least = value(*panel.median, second);
  double most = least;
  for (const Run* run : panel.valid) {
    if (second >= seconds_of(*run)) continue;
    least = std::min(least, value(*run, second));
    most = std::max(most, value(*run, second));
  }
  return {least, most};
}

}  // namespace

std::vector<Panel> panels_of(const Results& results, const Cell& group) {
  std::vector<Panel> panels;
  for (const Policy& policy : policies()) {
    const Cell cell = group.with_policy(policy.name);
    const Run* median = results.median(cell);
    if (median != nullptr) panels.push_back({cell, policy, median, results.valid_runs(cell)});
  }
  return panels;
}

std::size_t seconds_of(const Run& run) { return run.measures.series.size(); }

double seconds_of(const std::vector<Panel>& panels) {
  std::size_t most = 1;
  for (const Panel& panel : panels) most = std::max(most, seconds_of(*panel.median));
  return static_cast<double>(most);
}

double most_of(const std::vector<Panel>& panels, const ValueAt& value) {
  double most = 0;
  for (const Panel& panel : panels) {
    for (const Run* run : panel.valid) {
      for (std::size_t second = 0; second < seconds_of(*run); ++second) {
        const double here = value(*run, second);
        if (std::isfinite(here)) most = std::max(most, here);
      }
    }
  }
  return most;
}

double Axis::place(double value) const {
  if (!logarithmic) return value;
  return std::log10(std::max(value, low));
}

std::vector<double> Axis::ticks() const {
  if (!logarithmic) return lab::round_ticks({low, high}, 5);
  std::vector<double> ticks;
  for (double decade = 1; decade <= high; decade *= 10) {
    for (const double factor : {1.0, 3.0}) {
      const double tick = factor * decade;
      if (tick >= low * 0.999 && tick <= high * 1.001) ticks.push_back(tick);
    }
  }
  return ticks;
}

std::vector<Point> without_level(std::vector<Point> points) {
  std::vector<Point> kept;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const bool middle = i > 0 && i + 1 < points.size() && points[i - 1].y == points[i].y &&
                        points[i + 1].y == points[i].y;
    if (!middle) kept.push_back(points[i]);
  }
  return kept;
}

void draw_keys(Svg& svg, Point at, std::span<const Key> legend) {
  for (const Key& key : legend) {
    if (key.area) {
      svg.rectangle({at.x, at.y - 10}, 18, 12, key.colour);
    } else {
      svg.line({at.x, at.y - 4}, {at.x + 22, at.y - 4}, {key.colour, 2.4, key.dash});
    }
    svg.text({at.x + 28, at.y}, key.words, 13, Anchor::kStart, kInks.ink);
    at.x += 28 + 7.6 * static_cast<double>(key.words.size()) + 22;
  }
}

void draw_value_axis(Svg& svg, const Frame& frame, const Axis& axis, bool with_unit) {
  for (const double tick : axis.ticks()) {
    const Point left = frame.at(frame.x.low, axis.place(tick));
    svg.line(left, {frame.corner.x + frame.width, left.y}, {kInks.grid, 1, ""});
    svg.text({left.x - 6, left.y + 4}, text_of(tick, Unit::kCount), 12, Anchor::kEnd, kInks.ink);
  }
  const Point foot = frame.at(frame.x.low, frame.y.low);
  svg.line(foot, {foot.x, frame.corner.y}, {kInks.ink, 1, ""});
  if (!with_unit) return;
  svg.upward_text({frame.corner.x - 52, frame.corner.y + frame.height / 2}, axis.unit, 12,
                  kInks.ink);
}

void draw_time_axis(Svg& svg, const Frame& frame, bool with_words) {
  const Point left = frame.at(frame.x.low, frame.y.low);
  svg.line(left, {left.x + frame.width, left.y}, {kInks.ink, 1, ""});
  for (const double tick : lab::round_ticks(frame.x, 7)) {
    const Point foot = frame.at(tick, frame.y.low);
    svg.line(foot, {foot.x, foot.y + 4}, {kInks.ink, 1, ""});
    svg.text({foot.x, foot.y + 17}, lab::whole(tick), 12, Anchor::kMiddle, kInks.ink);
  }
  if (!with_words) return;
  svg.text({left.x + frame.width / 2, left.y + 33}, "second of the run", 12, Anchor::kMiddle,
           kInks.ink);
}

void draw_onset(Svg& svg, const Frame& frame, const Run& run) {
  if (!run.onset_s) return;
  const Point foot = frame.at(*run.onset_s, frame.y.low);
  svg.line(foot, {foot.x, frame.corner.y}, {kFaint, 1.2, "2 3"});
}

Multiples::Multiples(const std::vector<Panel>& panels, const Axis& axis,
                     std::span<const Key> legend)
    : panels_(panels),
      axis_(axis),
      seconds_(seconds_of(panels)),
      svg_(width_of(panels.size()), height_of(panels.size()), "") {
  draw_legend(legend);
  for (std::size_t i = 0; i < panels.size(); ++i) draw_panel(i);
}

Frame Multiples::frame(std::size_t index) const {
  const auto column = static_cast<double>(index % kColumns);
  const std::size_t row = index / kColumns;
  return {{kLeft + column * kColumnStep, kTop + static_cast<double>(row) * kRowStep},
          kPanelWidth,
          kPanelHeight,
          {0, seconds_},
          {axis_.place(axis_.low), axis_.place(axis_.high)}};
}

void Multiples::draw_panel(std::size_t index) {
  const Panel& panel = panels_[index];
  const Frame place = frame(index);
  svg_.rectangle({place.corner.x, place.corner.y - 22}, 12, 12, panel.policy.colour);
  svg_.text({place.corner.x + 18, place.corner.y - 12}, panel.policy.label, 14, Anchor::kStart,
            kInks.ink, "bold");
  draw_value_axis(svg_, place, axis_, index % kColumns == 0);
  draw_time_axis(svg_, place, true);
  draw_onset(svg_, place, *panel.median);
}

void Multiples::draw_legend(std::span<const Key> legend) { draw_keys(svg_, {kLeft, 16}, legend); }

void Multiples::line(std::size_t index, const ValueAt& value, const lab::Stroke& stroke) {
  const Frame place = frame(index);
  const Run& run = *panels_[index].median;
  std::vector<Point> points;
  for (std::size_t second = 0; second < seconds_of(run); ++second) {
    points.push_back(place.at(static_cast<double>(second) + 0.5, axis_.place(value(run, second))));
  }
  svg_.polyline(without_level(std::move(points)), stroke);
}

void Multiples::band(std::size_t index, const ValueAt& value, std::string_view colour) {
  const Panel& panel = panels_[index];
  if (panel.valid.size() < 2) return;
  const Frame place = frame(index);
  std::vector<Point> above;
  std::vector<Point> below;
  for (std::size_t second = 0; second < seconds_of(*panel.median); ++second) {
    const auto [least, most] = range_at(panel, second, value);
    const double at = static_cast<double>(second) + 0.5;
    above.push_back(place.at(at, axis_.place(most)));
    below.push_back(place.at(at, axis_.place(least)));
  }
  std::vector<Point> outline = without_level(std::move(above));
  below = without_level(std::move(below));
  outline.insert(outline.end(), below.rbegin(), below.rend());
  svg_.polygon(outline, colour, 0.25);
}

void Multiples::area(std::size_t index, const ValueAt& low, const ValueAt& high,
                     std::string_view colour) {
  const Frame place = frame(index);
  const Run& run = *panels_[index].median;
  std::vector<Point> above;
  std::vector<Point> below;
  for (std::size_t second = 0; second < seconds_of(run); ++second) {
    const double at = static_cast<double>(second) + 0.5;
    above.push_back(place.at(at, axis_.place(high(run, second))));
    below.push_back(place.at(at, axis_.place(low(run, second))));
  }
  std::vector<Point> outline = without_level(std::move(above));
  below = without_level(std::move(below));
  outline.insert(outline.end(), below.rbegin(), below.rend());
  svg_.polygon(outline, colour);
}

}  // namespace flare::eval
