#include "eval/autoscaler/status.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/unique_fd.h"

extern char** environ;

namespace flare::eval {
namespace {

using nlohmann::json;

template <typename T>
std::optional<T> value_at(const json& object, const json::json_pointer& path) {
  if (!object.contains(path) || !object[path].is_number()) return std::nullopt;
  return object[path].get<T>();
}

/// A sum that is negative only while counters of several CPUs are added up.
std::optional<std::uint64_t> count_at(const json& object, const json::json_pointer& path) {
  const auto value = value_at<std::int64_t>(object, path);
  if (!value) return std::nullopt;
  return *value > 0 ? static_cast<std::uint64_t>(*value) : 0;
}

PolicyStatus of_service(const json& service) {
  using Path = json::json_pointer;
  PolicyStatus status;
  status.share = value_at<double>(service, Path("/share_applied"));
  const auto cap = value_at<std::uint32_t>(service, Path("/cap"));
  if (cap && *cap > 0) status.cap = cap;
  status.arrivals_rps = value_at<double>(service, Path("/arrivals_rps"));
  status.capacity_rps = value_at<double>(service, Path("/capacity_rps"));
  status.in_flight_vm = count_at(service, Path("/tiers/vm/in_flight"));
  status.in_flight_serverless = count_at(service, Path("/tiers/serverless/in_flight"));
  return status;
}

PolicyStatus of_controller(const json& line) {
  using Path = json::json_pointer;
  PolicyStatus status;
  status.share = value_at<double>(line, Path("/share"));
  status.arrivals_rps = value_at<double>(line, Path("/arrivals_rps"));
  status.capacity_rps = value_at<double>(line, Path("/capacity_rps"));
  status.in_flight_vm = count_at(line, Path("/in_flight_vm"));
  status.in_flight_serverless = count_at(line, Path("/in_flight_serverless"));
  return status;
}

template <typename T>
json or_null(const std::optional<T>& value) {
  return value ? json(*value) : json(nullptr);
}

/// A process whose standard output is `write_end`.
Result<pid_t> run(const std::vector<std::string>& command, int write_end) {
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, write_end, STDOUT_FILENO);
  pid_t pid = 0;
  const int error =
      posix_spawnp(&pid, arguments.front(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return Error::from_errno(command.front(), error);
  return pid;
}

}  // namespace

Result<PolicyStatus> parse_status(const std::string& text) {
  const auto object = json::parse(text, nullptr, false);
  if (!object.is_object())
    return Error("expected a JSON object, found '" + text.substr(0, 80) + "'");
  return object.contains("service") ? of_service(object["service"]) : of_controller(object);
}

json to_json(const PolicyStatus& status, double t_s) {
  return {{"t_s", t_s},
          {"share", or_null(status.share)},
          {"cap", or_null(status.cap)},
          {"arrivals_rps", or_null(status.arrivals_rps)},
          {"capacity_rps", or_null(status.capacity_rps)},
          {"in_flight_vm", or_null(status.in_flight_vm)},
          {"in_flight_serverless", or_null(status.in_flight_serverless)}};
}

Result<std::string> output_of(const std::vector<std::string>& command) {
  if (command.empty()) return Error("there is no command to run");
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return Error::from_errno("pipe2", errno);
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const auto pid = run(command, write_end.get());
  write_end = UniqueFd();
  if (!pid) return pid.error();
  std::string output;
  std::array<char, 16384> buffer;
  for (;;) {
    const ssize_t got = read(read_end.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    output.append(buffer.data(), static_cast<std::size_t>(got));
  }
  int status = 0;
  while (waitpid(*pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return Error(command.front() + " ended with status " + std::to_string(status));
  }
  return output;
}

}  // namespace flare::eval
