#include "host/host_ports.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "base/unique_fd.h"
#include "host/small_file.h"

namespace flare {
namespace {

constexpr std::string_view kRange = "net/ipv4/ip_local_port_range";
constexpr std::string_view kReserved = "net/ipv4/ip_local_reserved_ports";
constexpr std::size_t kSysctlBytes = 1 << 20;
constexpr std::string_view kSpaces = " \t\n";

std::string_view take_word(std::string_view& text, std::string_view separators) {
  text.remove_prefix(std::min(text.find_first_not_of(separators), text.size()));
  const std::size_t end = std::min(text.find_first_of(separators), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end);
  return word;
}

bool parse_port(std::string_view text, std::uint16_t& port) {
  const auto [stop, fault] = std::from_chars(text.data(), text.data() + text.size(), port);
  return fault == std::errc{} && stop == text.data() + text.size();
}

Result<std::string> read_sysctl(const std::filesystem::path& path) {
  auto text = read_small_file(path, kSysctlBytes);
  if (!text) return text.error();
  if (!*text) return Error("there is no '" + path.string() + "'");
  return **std::move(text);
}

}  // namespace

Result<std::vector<PortRange>> parse_ranges(std::string_view text) {
  std::vector<PortRange> ranges;
  for (;;) {
    const std::string_view word = take_word(text, ", \t\n");
    if (word.empty()) return ranges;
    PortRange range;
    const std::size_t dash = word.find('-');
    const std::string_view last = dash == std::string_view::npos ? word : word.substr(dash + 1);
    if (!parse_port(word.substr(0, dash), range.min) || !parse_port(last, range.max)) {
      return Error("'" + std::string(word) + "' is not a range of ports");
    }
    ranges.push_back(range);
  }
}

std::string ranges_text(const std::vector<PortRange>& ranges) {
  std::string text;
  for (const PortRange& range : ranges) {
    if (!text.empty()) text += ',';
    text += std::to_string(range.min);
    if (range.max != range.min) text += '-' + std::to_string(range.max);
  }
  return text;
}

std::vector<PortRange> with_range(std::vector<PortRange> ranges, PortRange more) {
  ranges.push_back(more);
  std::sort(ranges.begin(), ranges.end(),
            [](const PortRange& a, const PortRange& b) { return a.min < b.min; });
  std::vector<PortRange> joined;
  for (const PortRange& range : ranges) {
    if (!joined.empty() && range.min <= joined.back().max + 1) {
      joined.back().max = std::max(joined.back().max, range.max);
    } else {
      joined.push_back(range);
    }
  }
  return joined;
}

Result<HostPorts> read_host_ports(const std::filesystem::path& sysctl_root) {
  auto range = read_sysctl(sysctl_root / kRange);
  if (!range) return range.error();
  HostPorts ports;
  std::string_view text = *range;
  const std::string_view min = take_word(text, kSpaces);
  const std::string_view max = take_word(text, kSpaces);
  if (!parse_port(min, ports.ephemeral.min) || !parse_port(max, ports.ephemeral.max)) {
    return Error("cannot understand '" + (sysctl_root / kRange).string() + "'");
  }
  auto reserved = read_sysctl(sysctl_root / kReserved);
  if (!reserved) return reserved.error();
  auto ranges = parse_ranges(*reserved);
  if (!ranges) return ranges.error();
  for (const PortRange& one : *ranges) ports.reserved = with_range(ports.reserved, one);
  return ports;
}

Result<bool> reserve_ports(const std::filesystem::path& sysctl_root, PortRange range) {
  auto ports = read_host_ports(sysctl_root);
  if (!ports) return ports.error();
  const auto wanted = with_range(ports->reserved, range);
  if (wanted == ports->reserved) return false;
  const std::filesystem::path path = sysctl_root / kReserved;
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_TRUNC));
  const std::string text = ranges_text(wanted) + "\n";
  if (!fd || ::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return Error::from_errno("cannot write '" + path.string() + "'", errno);
  }
  return true;
}

}  // namespace flare
