// How the checks across values name what they found, and the checks that have files of their own.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "discovery/problem.h"
#include "discovery/sections.h"

namespace flare {

/// `services[1].policy`.
std::string service_key(std::size_t service, std::string_view field);
/// `services[1].vm[0].endpoint`, or without the last part where `field` is empty.
std::string service_key(std::size_t service, std::string_view list, std::size_t item,
                        std::string_view field);
/// `service "web"`.
std::string named(const ServiceConfig& service);

/// Addresses that replies of translated flows come back to: given ones, else the frontend's. A
/// sender translates none.
std::vector<Address> snat_of(const ServiceConfig& service);

/// Addresses that are Flare's own, with the first service that has each. Of a config that may be
/// wrong: what could not be read is in none.
class OwnAddresses {
 public:
  explicit OwnAddresses(const Draft& draft);
  /// Why a flow that `service` sends to `endpoint` would come back to us; empty where it would not.
  /// A serverless backend is another host. One of the VM tier may be this host, but no address that
  /// we translate.
  std::string why(const ServiceConfig& service, flare_tier tier, const Endpoint& endpoint) const;

 private:
  const Draft& draft_;
  std::map<std::pair<Endpoint, Protocol>, std::size_t> frontends_;
  std::map<Address, std::size_t> frontend_addresses_;
  std::map<Address, std::size_t> snat_;        ///< given, or else the frontend's
  std::map<Address, std::size_t> given_snat_;  ///< as `snat` says
};

/// The backends of service `i`: how many, of which family, each once, and none where a flow would
/// come back to us.
void check_tiers(const Draft& draft, std::size_t i, const OwnAddresses& own, Problems& problems);

/// What service `i` says that its placement does not have, or lacks; and its health and chain.
void check_placement(const Draft& draft, std::size_t i, Problems& problems);

/// `interfaces`, `cgroups` and `serverless_sources`, and who needs them.
void check_reach(const Draft& draft, Problems& problems);

}  // namespace flare
