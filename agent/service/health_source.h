// What the pinned maps say of backends, for the health watch.
#pragma once

#include "health/health_watch.h"
#include "kernel/maps.h"

namespace flare {

class KernelHealthSource final : public HealthSource {
 public:
  /// `maps` outlive this.
  explicit KernelHealthSource(const Maps& maps) : maps_(maps) {}

  BackendSample sample(std::uint32_t backend_id) const override;
  SlowestNs slowest_ns(std::uint32_t service_id, flare_tier tier) const override;

 private:
  const Maps& maps_;
};

}  // namespace flare
