// The configuration from a YAML file: a Config in which all holds, or everything that is wrong.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "discovery/file_reader.h"
#include "discovery/problem.h"
#include "model/config.h"
#include "model/host_ports.h"

namespace flare {

/// Either a configuration or at least one problem.
struct Verdict {
  std::optional<Config> config;
  std::vector<Problem> problems;
};

/// Judges the text of a configuration for a host with these ports.
Verdict read_config_text(std::string_view text, const HostPorts& host);

/// The same for a file. A problem of the file itself has no place.
Verdict read_config_file(const std::filesystem::path& path, const FileRules& rules,
                         const HostPorts& host);

/// All problems, one a line, each with the file's name and place.
std::string to_text(const std::vector<Problem>& problems, std::string_view file);

}  // namespace flare
