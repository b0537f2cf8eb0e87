// Figures 4, 7 and 8 of the paper, with ours.
#pragma once

#include "eval/report/table.h"

namespace flare::eval {

/// The paper's setting: the spike, closed-loop users, new connections, warm functions.
Cell cell_of_paper(std::string_view profile, std::string_view policy);

Table figure_four(const Source& source);
Table figure_seven(const Source& source);
Table figure_eight(const Source& source);

}  // namespace flare::eval
