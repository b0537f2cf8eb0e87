// A table of the report, the same in the page, in the text and in the JSON.
#pragma once

#include <string>
#include <vector>

#include "eval/report/results.h"
#include "eval/report/words.h"
#include "report/price.h"

namespace flare::eval {

struct Table {
  std::string id;
  std::string title;
  std::string note;  ///< a sentence or two below the title
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};

/// What the builders of tables ask.
struct Source {
  const Results& results;
  const lab::Prices& prices;
};

/// A figure of a cell's median run with least and most; "-" where the cell has no valid run.
std::string figure_text(const Source& source, const Cell& cell, Unit unit, const Figure& figure);

/// The tables in the form of the paper's, its figures beside ours.
std::vector<Table> paper_tables(const Source& source);

/// Latency, and spilling and cost, of the policies of a group that `cell` belongs to.
std::vector<Table> group_tables(const Source& source, const Cell& cell);

/// Every run: its place, generator, and why it is not used.
Table runs_table(const Results& results);
/// What was run, in words.
Table facts_table(const Results& results);
Table prices_table(const lab::Prices& prices);
/// Cells that are planned but have no valid run, and why.
Table missing_table(const Results& results);

}  // namespace flare::eval
