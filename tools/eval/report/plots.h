// The pictures of a group: small multiples over time, a panel a policy, with common axes; and bars.
#pragma once

#include <string>
#include <vector>

#include "eval/report/table.h"

namespace flare::eval {

struct Plot {
  std::string title;
  std::string caption;  ///< how to read it, in a sentence or two
  std::string svg;      ///< an element of a page whose style defines the colours
};

/// None where no policy of the group has a valid run.
std::vector<Plot> group_plots(const Source& source, const Cell& group);

}  // namespace flare::eval
