// What the plots of a group are made of: the policies that have runs, the place of each one's
// panel, and lines over time in it.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eval/report/table.h"
#include "report/chart.h"

namespace flare::eval {

constexpr lab::Inks kInks = {"var(--ink)", "var(--grid)"};
constexpr std::string_view kVmColour = "var(--vm)";
constexpr std::string_view kServerlessColour = "var(--serverless)";
constexpr std::string_view kFailedColour = "var(--failed)";
constexpr std::string_view kFaint = "var(--faint)";

/// A policy of the group: its median run is drawn, its valid ones make the band.
struct Panel {
  Cell cell;
  Policy policy;
  const Run* median = nullptr;
  std::vector<const Run*> valid;
};

std::vector<Panel> panels_of(const Results& results, const Cell& group);

/// A value of one second of a run; a second that the run does not have is not asked for.
using ValueAt = std::function<double(const Run& run, std::size_t second)>;

double most_of(const std::vector<Panel>& panels, const ValueAt& value);  ///< finite ones
double seconds_of(const std::vector<Panel>& panels);
std::size_t seconds_of(const Run& run);

/// An axis of values: even steps, or a step for each factor of about three.
struct Axis {
  std::string_view unit;
  double low = 0;
  double high = 1;
  bool logarithmic = false;

  double place(double value) const;  ///< on the frame's axis
  std::vector<double> ticks() const;
};

/// A legend entry, drawn as a line or as an area.
struct Key {
  std::string_view words;
  std::string_view colour;
  std::string_view dash;
  bool area = false;
};

/// The grid of panels with their axes. Draw into `frame(i)`, then take `element`.
class Multiples {
 public:
  Multiples(const std::vector<Panel>& panels, const Axis& axis, std::span<const Key> legend);

  lab::Svg& svg() { return svg_; }
  lab::Frame frame(std::size_t index) const;
  const Axis& axis() const { return axis_; }

  /// A line through the middles of the seconds of the median run.
  void line(std::size_t index, const ValueAt& value, const lab::Stroke& stroke);
  /// The area between the least and the most of all valid runs; nothing of a single one.
  void band(std::size_t index, const ValueAt& value, std::string_view colour);
  /// The area between two values of the median run.
  void area(std::size_t index, const ValueAt& low, const ValueAt& high, std::string_view colour);
  std::string element(std::string_view title) const { return svg_.element(title); }

 private:
  void draw_panel(std::size_t index);
  void draw_legend(std::span<const Key> legend);

  const std::vector<Panel>& panels_;
  Axis axis_;
  double seconds_;
  lab::Svg svg_;
};

/// The points without those in the middle of a level stretch.
std::vector<lab::Point> without_level(std::vector<lab::Point> points);

void draw_keys(lab::Svg& svg, lab::Point at, std::span<const Key> legend);
void draw_value_axis(lab::Svg& svg, const lab::Frame& frame, const Axis& axis, bool with_unit);
void draw_time_axis(lab::Svg& svg, const lab::Frame& frame, bool with_words);
/// A dotted line at the median run's onset.
void draw_onset(lab::Svg& svg, const lab::Frame& frame, const Run& run);

}  // namespace flare::eval
