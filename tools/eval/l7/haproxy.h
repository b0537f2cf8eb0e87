// HAProxy's runtime socket: what the L7 baseline reads and sets. HAProxy 2.6 management guide,
// chapter 9.3 (unix socket commands) and 9.1 (the columns of "show stat").
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace flare::eval {

/// What the proxy counts: requests of its frontend since it started, by HTTP request and not by
/// connection, and how many are under way in each tier.
struct ProxyCounts {
  std::uint64_t requests = 0;
  std::uint64_t in_flight_vm = 0;
  std::uint64_t in_flight_serverless = 0;
  std::uint32_t vm_servers_up = 0;  ///< servers of the VM tier that take requests
};

/// The names that the proxy's configuration gives to its parts.
struct ProxyNames {
  std::string frontend = "web";
  std::string vm = "vms";
  std::string serverless = "sls";
};

/// Reads the CSV of "show stat". An error names the column or the proxy that is missing.
Result<ProxyCounts> parse_stat(std::string_view csv, const ProxyNames& names);

/// One runtime socket. Each command is a connection of its own, as the socket's default is.
class RuntimeSocket {
 public:
  explicit RuntimeSocket(std::string path) : path_(std::move(path)) {}

  /// Sends a line and returns all of the answer. Fails where HAProxy cannot be reached within 1 s.
  Result<std::string> ask(std::string_view command) const;

  Result<ProxyCounts> counts(const ProxyNames& names) const;
  /// Sets an entry of a map that the configuration has loaded; "set map" answers nothing when done.
  Result<void> set_map(const std::string& map, const std::string& key,
                       const std::string& value) const;

 private:
  std::string path_;
};

}  // namespace flare::eval
