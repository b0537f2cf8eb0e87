// What a control plane tells of services' backends, laid over the configuration. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "discovery/own_addresses.h"
#include "model/config.h"

namespace flare {

/// A service as it is in force.
struct Overlaid {
  ServiceConfig service;
  /// What was told and does not fit the configuration (any more): a clause each. It is left out.
  std::vector<std::string> left_out;
};

/// `file`, as the configuration has it, with what was told of it. What is told of a backend holds
/// over the configuration; a figure of the service that was told holds over the configuration's,
/// but where the configuration's VM backends tell theirs, these hold.
Overlaid with_told(const ServiceConfig& file, const ToldService& told, const OwnAddresses& own);

/// `told` without what has no meaning any more: removals of backends that `file` does not have.
ToldService pruned(ToldService told, const ServiceConfig& file);

/// Whether a control plane may add this backend to `service`, which is in force without it.
Result<void> may_add(const ServiceConfig& service, const Endpoint& endpoint,
                     const ToldBackend& backend, const OwnAddresses& own);

/// Figures of a service as a control plane sets them. Outer nullopt: left as they are; inner
/// nullopt: as the configuration says.
struct WorkersChange {
  std::optional<std::optional<std::uint32_t>> workers;
  std::optional<std::optional<double>> capacity_rps;
};

/// Whether `service`, which is in force, may have these figures; `next` is what it would be then.
Result<void> may_set(const ServiceConfig& service, const WorkersChange& change,
                     const ServiceConfig& next);

/// The generation that holds after a command. `asked`: nullopt is the next one, where anything
/// `changes`. Fails where it is lower than the last one.
Result<std::uint64_t> next_generation(const std::string& service, std::uint64_t last,
                                      std::optional<std::uint64_t> asked, bool changes);

/// What the VM tier does at once and a second; 0: not told.
struct VmCapacity {
  std::uint32_t workers = 0;
  double capacity_rps = 0;
  bool operator==(const VmCapacity&) const = default;
};

/// Whether the VM backends tell a figure, which is then their sum.
bool workers_by_backend(const ServiceConfig& service);
bool capacity_by_backend(const ServiceConfig& service);

/// How far a backend counts in the sums.
enum class BackendUse : std::uint8_t {
  kNone,   ///< takes no new flows
  kTrial,  ///< takes a trickle: counts where no other does
  kFull,
};

/// What the VM tier is told to do now. `uses`: of its backends, in the service's order. Where none
/// of them is usable it is `before`: nothing goes there.
VmCapacity vm_capacity(const ServiceConfig& service, std::span<const BackendUse> uses,
                       const VmCapacity& before);

/// The capacity to believe in (requests per 1,000 s) where `believed` was, after what is told has
/// changed. What was learned grows and shrinks with the backends.
std::uint64_t believed_after(const ServiceConfig& service, const VmCapacity& before,
                             const VmCapacity& now, std::uint64_t believed_mrps);

}  // namespace flare
