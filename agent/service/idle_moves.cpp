#include "service/idle_moves.h"

#include <algorithm>

#include "service/identity.h"

namespace flare {
namespace {

/// A walk visits every socket of the host, so that it is made less often where there are many.
constexpr std::uint64_t kPauseFactor = 20;

}  // namespace

void IdleMoves::load(const std::filesystem::path& pin_dir) {
  reset_.emplace(IdleReset::load(pin_dir));
}

/// From which silence on connections are idle, of the services whose connections shall leave now.
IdleMoves::Bounds IdleMoves::wanted(const Config& config) const {
  Bounds bounds;
  for (const ServiceConfig& service : config.services) {
    if (!service.move.idle) continue;
    const auto value = maps_.services.lookup(key_of(service));
    if (!value || value->move_interval_ns[FLARE_TIER_VM] == 0) continue;
    bounds[value->id] =
        idle_bound_ns(maps_.latency(value->id, FLARE_TIER_VM, FLARE_LATENCY_REQUEST));
  }
  return bounds;
}

Result<void> IdleMoves::set_bounds(const Bounds& bounds) {
  for (const auto& [id, bound] : bounds_) {
    if (bounds.contains(id)) continue;
    auto cleared = reset_->value().set_bound(id, 0);
    if (!cleared) return cleared;
  }
  for (const auto& [id, bound] : bounds) {
    auto set = reset_->value().set_bound(id, bound);
    if (!set) return set;
  }
  bounds_ = bounds;
  return {};
}

/// A failure that lasts is told once.
void IdleMoves::tell(const Result<void>& outcome) {
  if (outcome.has_value() != failed_) return;
  failed_ = !outcome;
  if (failed_) {
    log_.error("idle connections are not reset reason=\"{}\"", outcome.error().message());
  } else {
    log_.info("idle connections are reset again");
  }
}

void IdleMoves::step(const Config& config, std::uint64_t now_ns) {
  if (std::none_of(config.services.begin(), config.services.end(),
                   [](const ServiceConfig& service) { return service.move.idle; })) {
    return;
  }
  if (!reset_ || !*reset_) {
    tell(reset_ ? Result<void>(reset_->error()) : Error("it was not loaded"));
    return;
  }
  const Bounds bounds = wanted(config);
  if (bounds.empty() || now_ns < not_before_ns_) return;
  tell([&]() -> Result<void> {
    auto set = set_bounds(bounds);
    if (!set) return set;
    auto report = reset_->value().run();
    if (!report) return report.error();
    const auto took_ns = static_cast<std::uint64_t>(report->took.count());
    not_before_ns_ = now_ns + took_ns * kPauseFactor;
    if (report->reset > 0) {
      log_.debug("reset idle connections reset={} of={} took_us={}", report->reset, report->seen,
                 took_ns / 1000);
    }
    return {};
  }());
}

}  // namespace flare
