#include "flarectl/table.h"

#include <algorithm>
#include <ostream>

namespace flare::ctl {
namespace {

constexpr const char* kGap = "  ";

const char* colour_of(Tone tone) {
  switch (tone) {
    case Tone::kGood:
      return "\033[32m";
    case Tone::kWarn:
      return "\033[33m";
    case Tone::kBad:
      return "\033[31m";
    case Tone::kDim:
      return "\033[2m";
    case Tone::kPlain:
      break;
  }
  return "";
}

}  // namespace

std::string toned(const Cell& cell, const Context& context) {
  bool plain = !context.colour || cell.tone == Tone::kPlain || cell.text.empty();
  return plain ? cell.text : colour_of(cell.tone) + cell.text + "\033[0m";
}

void Table::print(std::ostream& out, const Context& context) const {
  std::vector<std::size_t> widths;
  for (const Column& column : columns_) {
    widths.push_back(context.headers ? column.header.size() : 0);
  }
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], row[i].text.size());
  }
  auto print_row = [&](const std::vector<Cell>& row) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      std::string padding(widths[i] - row[i].text.size(), ' ');
      bool last = i + 1 == row.size();
      bool right = columns_[i].align == Align::kRight;
      out << (right ? padding : "") << toned(row[i], context);
      if (!last) out << (right ? "" : padding) << kGap;
    }
    out << '\n';
  };
  if (context.headers) {
    std::vector<Cell> header;
    for (const Column& column : columns_) header.emplace_back(column.header, Tone::kDim);
    print_row(header);
  }
  for (const auto& row : rows_) print_row(row);
}

void Facts::print(std::ostream& out, const Context& context) const {
  std::size_t width = 0;
  for (const auto& [key, value] : facts_) width = std::max(width, key.size());
  for (const auto& [key, value] : facts_) {
    out << toned(Cell(key, Tone::kDim), context) << std::string(width - key.size(), ' ') << kGap
        << toned(value, context) << '\n';
  }
}

}  // namespace flare::ctl
