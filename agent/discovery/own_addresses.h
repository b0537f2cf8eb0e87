// Which addresses are Flare's own, so that no backend may have them.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "model/config.h"

namespace flare {

/// `service "web"`.
std::string named(const ServiceConfig& service);

/// Addresses that replies of translated flows come back to: given ones, else the frontend's. A
/// sender translates none.
std::vector<Address> snat_of(const ServiceConfig& service);

/// Addresses that are Flare's own, with the first service that has each. Of a config that may be
/// wrong: what could not be read is in none.
class OwnAddresses {
 public:
  /// `config` outlives it.
  explicit OwnAddresses(const Config& config);
  /// Why a flow that `service` sends to `endpoint` would come back to us; empty where it would not.
  /// A serverless backend is another host. One of the VM tier may be this host, but no address that
  /// we translate.
  std::string why(const ServiceConfig& service, flare_tier tier, const Endpoint& endpoint) const;

 private:
  const Config& config_;
  std::map<std::pair<Endpoint, Protocol>, std::size_t> frontends_;
  std::map<Address, std::size_t> frontend_addresses_;
  std::map<Address, std::size_t> snat_;        ///< given, or else the frontend's
  std::map<Address, std::size_t> given_snat_;  ///< as `snat` says
};

}  // namespace flare
