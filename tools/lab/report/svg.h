// Just enough SVG for a chart: shapes in pixels, and a frame that maps values to them.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace flare::lab {

struct Point {
  double x = 0;
  double y = 0;
};

enum class Anchor { kStart, kMiddle, kEnd };

/// How a line looks; `dash` as in SVG, empty for an unbroken one.
struct Stroke {
  std::string_view colour;
  double width = 1;
  std::string_view dash;
};

/// A picture that grows by shapes. Coordinates are pixels from the upper left corner.
class Svg {
 public:
  /// `background` empty: none, for a picture in a page.
  Svg(int width, int height, std::string_view background = "#ffffff");

  void line(Point from, Point to, const Stroke& stroke);
  void polyline(std::span<const Point> points, const Stroke& stroke);
  void polygon(std::span<const Point> points, std::string_view fill, double opacity = 1);
  void rectangle(Point corner, double width, double height, std::string_view fill);
  /// `size` in pixels; `weight` as in CSS.
  void text(Point at, std::string_view words, int size, Anchor anchor = Anchor::kStart,
            std::string_view colour = "#222222", std::string_view weight = "normal");
  /// Text that reads upwards, centred on `at`.
  void upward_text(Point at, std::string_view words, int size, std::string_view colour = "#222222");

  /// The whole document.
  std::string document() const;
  /// The same as an element of an HTML page, which shrinks with the page; `title` tells what it
  /// shows to those who cannot see it.
  std::string element(std::string_view title) const;

 private:
  std::string opening(std::string_view more) const;

  std::string shapes_;
  int width_;
  int height_;
};

/// Text with what has a meaning in XML replaced.
std::string escaped(std::string_view words);

/// A range of values, from 0 or another round number.
struct Range {
  double low = 0;
  double high = 1;
};

/// Steps of 1, 2 or 5 times a power of ten, `most` of them at most, that cover the range.
std::vector<double> round_ticks(const Range& range, int most);

/// A rectangle of the picture with an axis each way.
struct Frame {
  Point corner;
  double width = 0;
  double height = 0;
  Range x;
  Range y;

  /// Where the values lie; beyond the range is moved to its end.
  Point at(double x_value, double y_value) const;
};

}  // namespace flare::lab
