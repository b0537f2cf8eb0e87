// Configurations that must be refused: one good file and the edits that break it.
#pragma once

#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "model/host_ports.h"

namespace flare::test {

/// A file in which all holds.
extern const std::string_view kGoodConfig;

/// The host that the cases are judged for.
HostPorts test_host();

struct BadConfig {
  std::string_view name;    ///< a word for the test's name
  std::string_view remove;  ///< text of kGoodConfig; empty: the whole file
  std::string_view insert;  ///< what stands in its place
  std::string_view place;   ///< `line:column`; empty: the file as a whole
  std::string_view key;     ///< empty: the file as a whole
  std::string_view says;    ///< part of the message

  std::string text() const;
  /// What GoogleTest prints for a case that failed.
  friend void PrintTo(const BadConfig& bad, std::ostream* out) { *out << bad.name; }
};

const std::vector<BadConfig>& bad_configs();

/// docs/configuration-errors.md.
std::string bad_configs_table();

}  // namespace flare::test
