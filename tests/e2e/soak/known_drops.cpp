#include "known_drops.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace flare::test {
namespace {

std::uint64_t backlog_drops() {
  std::ifstream file("/proc/net/softnet_stat");
  std::uint64_t sum = 0;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::uint64_t processed = 0, dropped = 0;
    words >> std::hex >> processed >> dropped;
    sum += dropped;
  }
  return sum;
}

/// RcvbufErrors of UDP in a host's /proc/net/snmp: a line of names, and one of values.
std::uint64_t socket_drops(const std::string& snmp) {
  std::istringstream lines(snmp);
  std::string names, values;
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("Udp:")) (names.empty() ? names : values) = line;
  std::istringstream name_words(names), value_words(values);
  for (std::string name, value; name_words >> name && value_words >> value;)
    if (name == "RcvbufErrors") return std::stoull(value);
  throw std::runtime_error("/proc/net/snmp tells no RcvbufErrors");
}

std::uint64_t datapath_drops(const Lab& lab) {
  const auto counters = nlohmann::json::parse(lab.ctl_ok("-o json counters"));
  std::uint64_t sum = 0;
  for (const auto& hook : counters.at("hooks"))
    sum += hook.at("by_fate").value("drop", std::uint64_t{0});
  return sum;
}

}  // namespace

KnownDrops known_drops(const SoakLab& soak) {
  KnownDrops made{.backlog = backlog_drops(), .sockets = 0, .datapath = datapath_drops(soak.lab())};
  for (const std::string& host : SoakLab::datagram_hosts())
    made.sockets += socket_drops(soak.lab().in(host, "cat /proc/net/snmp"));
  return made;
}

KnownDrops operator-(const KnownDrops& after, const KnownDrops& before) {
  return {after.backlog - before.backlog, after.sockets - before.sockets,
          after.datapath - before.datapath};
}

KnownDrops& operator+=(KnownDrops& sum, const KnownDrops& more) {
  sum = {sum.backlog + more.backlog, sum.sockets + more.sockets, sum.datapath + more.datapath};
  return sum;
}

}  // namespace flare::test
