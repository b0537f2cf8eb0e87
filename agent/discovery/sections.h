// The sections of the configuration, value by value. What concerns several values at once stands
// in cross_checks.h.
#pragma once

#include <array>
#include <vector>

#include "discovery/problem.h"
#include "discovery/yaml_fields.h"
#include "discovery/yaml_tree.h"
#include "model/config.h"

namespace flare {

/// Where a backend says what it can do; line 0: it does not.
struct BackendPlaces {
  Place workers;
  Place capacity;
};

/// Where a tier's backends stand.
struct TierPlaces {
  Place list;
  bool is_list = false;         ///< given, perhaps without items
  bool given = false;           ///< with items, which perhaps were refused
  std::vector<Place> backends;  ///< of `endpoint`
  std::vector<BackendPlaces> told;
};

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
  Place placement;
  Place snat_mode;  ///< line 0: not given
  Place chain;
  Place health_timeout;       ///< or of the section, where only `interval` is given
  Place health_http;          ///< of a key that only check: http reads; line 0: none is given
  bool has_policy = false;    ///< given, perhaps as a word that was refused
  bool has_placement = true;  ///< not a word that was refused
  std::array<TierPlaces, FLARE_TIERS_COUNT> tier;
  std::vector<Place> snat;
};

/// A configuration whose single values are in order, with the places for checks across them. A
/// value that was refused has its default; a refused endpoint has port 0.
struct Draft {
  Config config;
  std::vector<ServicePlaces> services;
  std::vector<Place> interfaces;  ///< of `name` or `match`
  std::vector<Place> serverless_sources;
  std::vector<Place> cgroups;
  Place nat;  ///< of the section's first port key
  Place limits;
};

Draft read_sections(const YamlNode& root, Problems& problems);

/// One entry of `services`, added to `draft`.
void read_service(const YamlNode& node, const std::string& key, Draft& draft, Problems& problems);

/// The keys of a service that say where its flows go: `vm`, `serverless`, `snat` and how they
/// choose.
std::vector<Field> tier_fields(ServiceConfig& service, ServicePlaces& places, Problems& problems);

/// The section `health` of a service.
Field health_field(ServiceConfig& service, ServicePlaces& places, Problems& problems);

}  // namespace flare
