#include "report/chart.h"

#include <cstdio>

namespace flare::lab {

std::string whole(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.0f", value);
  return text;
}

void draw_axes(Svg& svg, const Frame& frame, std::string_view unit, const Ticks& ticks,
               const Inks& inks) {
  for (const double tick : round_ticks(frame.y, ticks.y)) {
    const Point left = frame.at(frame.x.low, tick);
    svg.line(left, frame.at(frame.x.high, tick), {inks.grid, 1, ""});
    svg.text({left.x - 8, left.y + 4}, whole(tick), 12, Anchor::kEnd, inks.ink);
  }
  for (const double tick : round_ticks(frame.x, ticks.x)) {
    const Point foot = frame.at(tick, frame.y.low);
    svg.line(foot, {foot.x, foot.y + 5}, {inks.ink, 1, ""});
    svg.text({foot.x, foot.y + 19}, whole(tick), 12, Anchor::kMiddle, inks.ink);
  }
  const Point corner = frame.at(frame.x.low, frame.y.low);
  svg.line(corner, frame.at(frame.x.high, frame.y.low), {inks.ink, 1, ""});
  svg.line(corner, frame.at(frame.x.low, frame.y.high), {inks.ink, 1, ""});
  svg.upward_text({frame.corner.x - 54, frame.corner.y + frame.height / 2}, unit, 12, inks.ink);
}

void draw_head(Svg& svg, const Frame& frame, std::string_view title,
               std::span<const LegendEntry> legend, const Inks& inks) {
  svg.text({frame.corner.x, frame.corner.y - 12}, title, 13, Anchor::kStart, inks.ink, "bold");
  double right = frame.corner.x + frame.width;
  for (auto entry = legend.rbegin(); entry != legend.rend(); ++entry) {
    const double width = 7.2 * static_cast<double>(entry->words.size());
    svg.text({right - width, frame.corner.y - 12}, entry->words, 12, Anchor::kStart, inks.ink);
    svg.rectangle({right - width - 16, frame.corner.y - 22}, 12, 12, entry->colour);
    right -= width + 30;
  }
}

void draw_level(Svg& svg, const Frame& frame, double level, const std::string& words,
                const Inks& inks) {
  const Point left = frame.at(frame.x.low, level);
  svg.line(left, frame.at(frame.x.high, level), {inks.ink, 1.4, "7 4"});
  svg.text({left.x + 4, left.y - 5}, words, 12, Anchor::kStart, inks.ink);
}

}  // namespace flare::lab
