#include "report/svg.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace flare::lab {
namespace {

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f", value);
  return text;
}

std::string path_of(std::span<const Point> points) {
  std::string path;
  for (const Point& point : points) path += number(point.x) + "," + number(point.y) + " ";
  return path;
}

std::string attributes(const Stroke& stroke) {
  std::string text =
      "stroke='" + std::string(stroke.colour) + "' stroke-width='" + number(stroke.width) + "'";
  if (!stroke.dash.empty()) text += " stroke-dasharray='" + std::string(stroke.dash) + "'";
  return text;
}

std::string_view to_word(Anchor anchor) {
  constexpr std::string_view kWords[] = {"start", "middle", "end"};
  return kWords[static_cast<int>(anchor)];
}

}  // namespace

std::string escaped(std::string_view words) {
  std::string text;
  for (const char letter : words) {
    if (letter == '&') {
      text += "&amp;";
    } else if (letter == '<') {
      text += "&lt;";
    } else if (letter == '>') {
      text += "&gt;";
    } else if (letter == '"') {
      text += "&quot;";
    } else if (letter == '\'') {
      text += "&#39;";
    } else {
      text += letter;
    }
  }
  return text;
}

Svg::Svg(int width, int height, std::string_view background) : width_(width), height_(height) {
  if (!background.empty()) rectangle({0, 0}, width, height, background);
}

void Svg::line(Point from, Point to, const Stroke& stroke) {
  const Point ends[] = {from, to};
  polyline(ends, stroke);
}

void Svg::polyline(std::span<const Point> points, const Stroke& stroke) {
  shapes_ += "<polyline fill='none' stroke-linejoin='round' " + attributes(stroke) + " points='" +
             path_of(points) + "'/>\n";
}

void Svg::polygon(std::span<const Point> points, std::string_view fill, double opacity) {
  const std::string look = opacity < 1 ? "' fill-opacity='" + std::to_string(opacity) : "";
  shapes_ +=
      "<polygon fill='" + std::string(fill) + look + "' points='" + path_of(points) + "'/>\n";
}

void Svg::rectangle(Point corner, double width, double height, std::string_view fill) {
  shapes_ += "<rect x='" + number(corner.x) + "' y='" + number(corner.y) + "' width='" +
             number(width) + "' height='" + number(height) + "' fill='" + std::string(fill) +
             "'/>\n";
}

void Svg::text(Point at, std::string_view words, int size, Anchor anchor, std::string_view colour,
               std::string_view weight) {
  shapes_ += "<text x='" + number(at.x) + "' y='" + number(at.y) + "' font-size='" +
             std::to_string(size) + "' text-anchor='" + std::string(to_word(anchor)) + "' fill='" +
             std::string(colour) + "' font-weight='" + std::string(weight) + "'>" + escaped(words) +
             "</text>\n";
}

void Svg::upward_text(Point at, std::string_view words, int size, std::string_view colour) {
  const std::string place = number(at.x) + " " + number(at.y);
  shapes_ += "<g transform='translate(" + place + ") rotate(-90)'>\n";
  text({0, 0}, words, size, Anchor::kMiddle, colour);
  shapes_ += "</g>\n";
}

std::string Svg::opening(std::string_view more) const {
  const std::string size = std::to_string(width_) + " " + std::to_string(height_);
  return "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 " + size + "' width='" +
         std::to_string(width_) + "' height='" + std::to_string(height_) +
         "' font-family='DejaVu Sans, Helvetica, Arial, sans-serif'" + std::string(more) + ">\n";
}

std::string Svg::document() const { return opening("") + shapes_ + "</svg>\n"; }

std::string Svg::element(std::string_view title) const {
  return opening(" role='img' style='max-width:100%;height:auto'") + "<title>" + escaped(title) +
         "</title>\n" + shapes_ + "</svg>\n";
}

std::vector<double> round_ticks(const Range& range, int most) {
  const double span = range.high - range.low;
  if (span <= 0 || most < 1) return {range.low};
  const double least = span / most;
  const double power = std::pow(10, std::floor(std::log10(least)));
  double step = 10 * power;
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= least) {
      step = factor * power;
      break;
    }
  }
  std::vector<double> ticks;
  for (double index = std::ceil(range.low / step); index * step <= range.high + step * 1e-9;
       ++index) {
    ticks.push_back(index * step);
  }
  return ticks;
}

Point Frame::at(double x_value, double y_value) const {
  const auto part = [](double value, const Range& range) {
    return std::clamp((value - range.low) / (range.high - range.low), 0.0, 1.0);
  };
  return {corner.x + width * part(x_value, x), corner.y + height * (1 - part(y_value, y))};
}

}  // namespace flare::lab
