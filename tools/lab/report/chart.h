// The parts that all charts have: axes, a title with a legend, a level across.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "report/svg.h"

namespace flare::lab {

/// The colours of what is not data.
struct Inks {
  std::string_view ink;
  std::string_view grid;
};

constexpr Inks kPaperInks = {"#222222", "#e4e4e4"};

struct LegendEntry {
  std::string_view words;
  std::string_view colour;
};

/// How many ticks an axis has at most.
struct Ticks {
  int x = 6;
  int y = 7;
};

std::string whole(double value);

void draw_axes(Svg& svg, const Frame& frame, std::string_view unit, const Ticks& ticks = {},
               const Inks& inks = kPaperInks);

/// A title above the frame's left end and a legend above its right one.
void draw_head(Svg& svg, const Frame& frame, std::string_view title,
               std::span<const LegendEntry> legend, const Inks& inks = kPaperInks);

/// A dashed line across the frame with words above its left end.
void draw_level(Svg& svg, const Frame& frame, double level, const std::string& words,
                const Inks& inks = kPaperInks);

}  // namespace flare::lab
