#include "eval/sim/table.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>

namespace flare::eval {
namespace {

std::string number(double value, int decimals) {
  if (!std::isfinite(value)) return "timeout";
  char text[64];
  std::snprintf(text, sizeof(text), "%.*f", decimals, value);
  return text;
}

/// Characters, not bytes: the tables have a few that are longer.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

void print(std::ostream& out, const Table& table) {
  std::vector<std::size_t> widths;
  for (const std::string& column : table.columns) widths.push_back(width_of(column));
  for (const auto& row : table.rows) {
    for (std::size_t at = 0; at < row.size(); ++at) {
      widths[at] = std::max(widths[at], width_of(row[at]));
    }
  }
  const auto line = [&](const std::vector<std::string>& cells) {
    for (std::size_t at = 0; at < cells.size(); ++at) {
      out << cells[at] << std::string(widths[at] - width_of(cells[at]) + 2, ' ');
    }
    out << '\n';
  };
  out << '\n' << table.id << ": " << table.title << '\n';
  line(table.columns);
  for (const auto& row : table.rows) line(row);
  if (!table.note.empty()) out << table.note << '\n';
  out.flush();
}

nlohmann::json to_json(const Table& table) {
  return {{"id", table.id},
          {"title", table.title},
          {"note", table.note},
          {"columns", table.columns},
          {"rows", table.rows}};
}

double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

std::string spread(std::vector<double> values, int decimals) {
  std::sort(values.begin(), values.end());
  const std::string middle = number(median_of(values), decimals);
  const std::string low = number(values.front(), decimals);
  const std::string high = number(values.back(), decimals);
  return low == high ? middle : middle + " (" + low + "–" + high + ")";
}

std::string percent(double part, int decimals) { return number(part * 100, decimals) + " %"; }

void in_parallel(std::size_t count, int jobs, const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next = 0;
  const auto take = [&] {
    for (std::size_t at = next++; at < count; at = next++) work(at);
  };
  std::vector<std::thread> threads;
  for (int thread = 1; thread < jobs; ++thread) threads.emplace_back(take);
  take();
  for (std::thread& thread : threads) thread.join();
}

}  // namespace flare::eval
