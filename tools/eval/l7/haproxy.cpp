#include "eval/l7/haproxy.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <map>
#include <optional>
#include <vector>

#include "base/unique_fd.h"

namespace flare::eval {
namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

/// A line of the table, by the names of its columns.
class Row {
 public:
  Row(const std::map<std::string, std::size_t, std::less<>>& columns, std::string_view line)
      : columns_(columns), cells_(split(line, ',')) {}

  std::string_view text(std::string_view column) const {
    const auto found = columns_.find(column);
    if (found == columns_.end() || found->second >= cells_.size()) return {};
    return cells_[found->second];
  }

  Result<std::uint64_t> number(std::string_view column) const {
    const std::string_view cell = text(column);
    std::uint64_t value = 0;
    const auto read = std::from_chars(cell.data(), cell.data() + cell.size(), value);
    if (cell.empty() || read.ec != std::errc() || read.ptr != cell.data() + cell.size()) {
      return Error("show stat: " + std::string(text("pxname")) + "/" + std::string(text("svname")) +
                   ": column " + std::string(column) + " is '" + std::string(cell) +
                   "', expected a number");
    }
    return value;
  }

 private:
  const std::map<std::string, std::size_t, std::less<>>& columns_;
  std::vector<std::string_view> cells_;
};

Result<std::map<std::string, std::size_t, std::less<>>> columns_of(std::string_view head) {
  if (!head.starts_with("# ")) return Error("show stat: no line of columns");
  std::map<std::string, std::size_t, std::less<>> columns;
  const auto names = split(head.substr(2), ',');
  for (std::size_t i = 0; i < names.size(); ++i) columns.emplace(names[i], i);
  for (const char* name : {"pxname", "svname", "scur", "req_tot", "status"}) {
    if (!columns.contains(name)) return Error(std::string("show stat: no column ") + name);
  }
  return columns;
}

}  // namespace

Result<ProxyCounts> parse_stat(std::string_view csv, const ProxyNames& names) {
  auto lines = split(csv, '\n');
  const auto columns = columns_of(lines.front());
  if (!columns) return columns.error();
  std::optional<std::uint64_t> requests;
  std::optional<std::uint64_t> vm;
  std::optional<std::uint64_t> serverless;
  ProxyCounts counts;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const Row row(*columns, lines[i]);
    const auto take = [&row](std::string_view column,
                             std::optional<std::uint64_t>& into) -> Result<void> {
      auto value = row.number(column);
      if (!value) return value.error();
      into = *value;
      return {};
    };
    const std::string_view proxy = row.text("pxname");
    const std::string_view server = row.text("svname");
    Result<void> taken;
    if (proxy == names.frontend && server == "FRONTEND") taken = take("req_tot", requests);
    if (proxy == names.vm && server == "BACKEND") taken = take("scur", vm);
    if (proxy == names.serverless && server == "BACKEND") taken = take("scur", serverless);
    if (!taken) return taken.error();
    const std::string_view status = row.text("status");
    const bool up = status.starts_with("UP") || status == "no check";
    if (proxy == names.vm && server != "BACKEND" && up) ++counts.vm_servers_up;
  }
  if (!requests) return Error("show stat: no frontend '" + names.frontend + "'");
  if (!vm) return Error("show stat: no backend '" + names.vm + "'");
  if (!serverless) return Error("show stat: no backend '" + names.serverless + "'");
  counts.requests = *requests;
  counts.in_flight_vm = *vm;
  counts.in_flight_serverless = *serverless;
  return counts;
}

Result<std::string> RuntimeSocket::ask(std::string_view command) const {
  const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return Error::from_errno("socket", errno);
  const timeval second{1, 0};
  if (setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second)) != 0 ||
      setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &second, sizeof(second)) != 0) {
    return Error::from_errno("setsockopt", errno);
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof(address.sun_path)) return Error(path_ + " is too long for a socket");
  std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return Error::from_errno(path_, errno);
  }
  const std::string line = std::string(command) + "\n";
  if (send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size())) {
    return Error::from_errno(path_, errno);
  }
  std::string answer;
  std::array<char, 16384> buffer;
  for (;;) {
    const ssize_t got = recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error::from_errno(path_, errno);
    if (got == 0) return answer;
    answer.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

Result<ProxyCounts> RuntimeSocket::counts(const ProxyNames& names) const {
  const auto answer = ask("show stat");
  if (!answer) return answer.error();
  return parse_stat(*answer, names);
}

Result<void> RuntimeSocket::set_map(const std::string& map, const std::string& key,
                                    const std::string& value) const {
  const auto answer = ask("set map " + map + " " + key + " " + value);
  if (!answer) return answer.error();
  if (answer->find_first_not_of("\n ") != std::string::npos) {
    return Error("set map " + map + ": " + *answer);
  }
  return {};
}

}  // namespace flare::eval
