// What the kernel says about a loaded program.
#pragma once

#include <cstdint>
#include <string>

namespace flare {

/// Fields are empty where the kernel does not tell us (that takes CAP_SYS_ADMIN).
struct ProgramInfo {
  std::uint32_t id = 0;
  std::string name;
  std::string tag;              ///< 16 hex digits
  std::uint64_t loaded_ns = 0;  ///< CLOCK_BOOTTIME

  bool is_flare() const { return name.starts_with("flare_"); }
  /// "'name' (program 12)", or "program 12".
  std::string text() const;
};

ProgramInfo program_info_of_fd(int program_fd);
ProgramInfo program_info_of_id(std::uint32_t program_id);

}  // namespace flare
