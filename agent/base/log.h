// Log lines: a sentence and key=value, to one descriptor, and never at the price of waiting.
//
// Levels by what they mean for the reader: error, something asked for was not done; warning, it
// was done but needs a look; info, what changed; debug, why. Nothing is logged per packet.
#pragma once

#include <spdlog/logger.h>

#include <memory>
#include <optional>
#include <string_view>

namespace flare {

using Logger = spdlog::logger;

/// The level of that name (trace, debug, info, warning, error), if there is one.
std::optional<spdlog::level::level_enum> log_level(std::string_view name);

/// A logger that writes whole lines to `fd`, which stays the caller's. A line that would have to
/// wait (full pipe, stopped terminal, full disk) is dropped, and the next one that goes through is
/// preceded by the number of lines lost. Under journald (`for_journal`) lines carry a priority
/// instead of a time.
std::unique_ptr<Logger> make_logger(int fd, bool for_journal);

}  // namespace flare
