// Tables for people: columns as wide as their content, two spaces apart.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "flarectl/context.h"

namespace flare::ctl {

enum class Align : std::uint8_t { kLeft, kRight };
enum class Tone : std::uint8_t { kPlain, kGood, kWarn, kBad, kDim };

struct Cell {
  Cell(std::string cell_text, Tone cell_tone = Tone::kPlain)
      : text(std::move(cell_text)), tone(cell_tone) {}
  Cell(const char* cell_text) : text(cell_text) {}
  std::string text;
  Tone tone = Tone::kPlain;
};

struct Column {
  std::string header;
  Align align = Align::kLeft;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// One cell a column.
  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.empty(); }
  void print(std::ostream& out, const Context& context) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

/// The text in its tone, where colour is wanted.
std::string toned(const Cell& cell, const Context& context);

/// "key  value" lines, the values in one column.
class Facts {
 public:
  void add(std::string key, Cell value) { facts_.emplace_back(std::move(key), std::move(value)); }
  void print(std::ostream& out, const Context& context) const;

 private:
  std::vector<std::pair<std::string, Cell>> facts_;
};

}  // namespace flare::ctl
