// The subcommands of flare-sim. Each sets the exit status: 0 done, 1 could not, 2 a bound is
// broken.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "eval/sim/table.h"

namespace flare::eval {

void add_run(CLI::App& app, int& status);
void add_table(CLI::App& app, int& status);
void add_validate(CLI::App& app, int& status);

/// Schema flare-sim/1. Tables that are in the file and have other ids are kept.
Result<void> write_tables(const std::string& path, const std::vector<Table>& tables, int seeds);

}  // namespace flare::eval
