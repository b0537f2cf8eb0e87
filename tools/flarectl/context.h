// What every command gets: the options that all share, and what it may exit with.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include <nlohmann/json.hpp>

namespace flare::ctl {

using Json = nlohmann::ordered_json;

/// Documented in flarectl(1); scripts rely on them.
enum ExitCode : int {
  kOk = 0,
  kFailure = 1,
  kUsage = 2,
  kMaps = 4,      ///< the pinned maps cannot be read
  kNotFound = 6,  ///< no service, backend or interface of that name
  kDegraded = 7,  ///< status and doctor: something needs a look
};

/// Grows when a key of the JSON output changes its meaning or goes; new keys do not count.
inline constexpr int kSchemaVersion = 1;

struct Context {
  std::filesystem::path pin_dir = "/sys/fs/bpf/flare";
  std::filesystem::path socket = "/run/flare/flared.sock";
  bool json = false;
  bool headers = true;
  bool colour = false;
  std::function<int()> action;  ///< what the command line asks for
};

/// Says on stderr what went wrong, and returns `code`.
int fail(int code, const std::string& message);

/// Prints `body` after schema_version and command, on stdout, as one document.
void print_json(const char* command, const Json& body);

}  // namespace flare::ctl
