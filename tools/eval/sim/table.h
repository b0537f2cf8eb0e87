// Tables: as text, and as the report reads them.
#pragma once

#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace flare::eval {

struct Table {
  std::string id;
  std::string title;
  std::string note;
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};

void print(std::ostream& out, const Table& table);
nlohmann::json to_json(const Table& table);

/// The median, with the lowest and the highest where they differ: `166 (160-171)`. A value that is
/// not finite is shown as "timeout".
std::string spread(std::vector<double> values, int decimals = 0);
double median_of(std::vector<double> values);
/// `12.5 %`
std::string percent(double part, int decimals = 1);

/// Calls `work(0)` to `work(count - 1)`, on as many threads as `jobs` says. Each call must touch
/// what is its own alone.
void in_parallel(std::size_t count, int jobs, const std::function<void(std::size_t)>& work);

}  // namespace flare::eval
