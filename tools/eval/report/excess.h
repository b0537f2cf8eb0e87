// When more arrives than the VM tier can serve, and which request is the first to be sent away.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "eval/report/measures.h"
#include "load/record.h"

namespace flare::eval {

/// The arrival at which the excess began, of records by rising intended start. The excess rises by
/// 1 with each arrival and falls by the capacity, to 0 at least; it is more than chance once it
/// holds a tenth of a second of capacity, and began with the first arrival after it was 0 for the
/// last time before.
std::optional<std::size_t> excess_start(std::span<const lab::RequestRecord> records,
                                        double capacity_rps);

/// The first request from `began` on that serverless answered.
std::optional<FirstSpill> first_spill_after(std::span<const lab::RequestRecord> records,
                                            std::size_t began, double capacity_rps);

}  // namespace flare::eval
