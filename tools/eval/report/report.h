// All that the report says, put together once and then written as a page, as text and as JSON.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "eval/report/plots.h"
#include "eval/report/table.h"
#include "eval/report/targets.h"

namespace flare::eval {

/// The cells that differ in the policy alone.
struct Section {
  Cell group;  ///< its policy is any of them
  std::vector<Table> tables;
  std::vector<Plot> plots;
};

/// What the simulator found: tables of its own choosing.
struct Simulation {
  std::string commit;
  std::string seeds;
  std::vector<Table> tables;
};

struct Report {
  Results results;
  lab::Prices prices;
  std::vector<Target> targets;
  Table facts;
  Table missing;
  std::vector<Table> paper;
  std::vector<Section> sections;
  std::optional<Simulation> simulation;
  Table price_list;
  Table runs;
};

Report make_report(Results results, std::optional<Simulation> simulation);

/// Reads a file of schema flare-sim/1.
Result<Simulation> read_simulation(const std::filesystem::path& path);

/// T1 to T11 as a table, a row a part.
Table targets_table(const std::vector<Target>& targets);

std::string html_of(const Report& report);
std::string text_of(const Report& report);  ///< markdown
std::string json_of(const Report& report);

/// What of the definitions a reader of the tables needs, an item a line.
std::vector<std::string> definitions();

}  // namespace flare::eval
