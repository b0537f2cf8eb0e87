// The sections of the configuration, value by value. What concerns several values at once stands
// in cross_checks.h.
#pragma once

#include <vector>

#include "discovery/problem.h"
#include "discovery/yaml_tree.h"
#include "model/config.h"

namespace flare {

/// Where the values of a service stand; where one is missing, the place of what should hold it.
struct ServicePlaces {
  Place service;
  Place name;
  Place frontend;
  Place policy;
  Place counting;
  Place min_share;
  Place move_idle;
  Place capacity;  ///< line 0: not given
  Place workers;   ///< line 0: not given
  Place move;
  Place serverless;
  bool has_policy = false;      ///< given, perhaps as a word that was refused
  bool has_serverless = false;  ///< given, perhaps with items that were refused
  std::vector<Place> backends;  ///< of `endpoint`
  std::vector<Place> snat;
};

/// A configuration whose single values are in order, with the places for checks across them. A
/// value that was refused has its default; a refused endpoint has port 0.
struct Draft {
  Config config;
  std::vector<ServicePlaces> services;
  std::vector<Place> interfaces;  ///< of `name`
  Place nat;                      ///< of the section's first port key
  Place limits;
};

Draft read_sections(const YamlNode& root, Problems& problems);

/// One entry of `services`, added to `draft`.
void read_service(const YamlNode& node, const std::string& key, Draft& draft, Problems& problems);

}  // namespace flare
