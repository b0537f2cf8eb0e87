// Load as a service itself tells it: taken at once, and not believed for longer than it is true.
#include "kernel/maps.h"
#include "service/service_set.h"

namespace flare {

Result<ReportChange> ServiceSet::report(std::string_view name, const LoadReport& load,
                                        std::uint64_t now_ns) {
  auto found = find(name);
  if (!found) return found.error();
  Managed& service = **found;
  if (service.config.counting != FLARE_COUNTING_REPORTED) {
    return Error("service '" + service.config.name +
                 "' has counting: " + std::string(counting_word(service.config.counting)) +
                 " in its configuration; accepted: a report where it has counting: reported");
  }
  ReportChange change;
  change.before = tables_.admission(service.identity.id).reported;
  service.reported.add(load, now_ns);
  change.after = service.reported.in_flight(now_ns).value_or(0);
  tables_.set_reported(service.identity.id, change.after);
  if (const auto mrps = service.reported.mrps(now_ns)) {
    change.requests_rps = static_cast<double>(*mrps) / 1000;
  }
  if (service.report_is_late) {
    service.report_is_late = false;
    log_.info("the service reports its load again service={}", service.config.name);
  }
  service.info.reported_ns = now_ns;
  auto told = tables_.put_info(service.identity.id, service.info);
  if (!told) return told.error();
  return change;
}

/// A figure that stands still would spill everything, or nothing, for ever.
void ServiceSet::tend_report(Managed& service, std::uint64_t now_ns) {
  if (service.config.counting != FLARE_COUNTING_REPORTED) return;
  if (!service.reported.in_flight(now_ns)) tables_.set_reported(service.identity.id, 0);
  if (service.report_is_late || !service.reported.is_late(now_ns)) return;
  service.report_is_late = true;
  log_.warn(
      "the service does not report its load; its cap does not act, rates are as packets show "
      "service={} bound_s={} last_s_ago={}",
      service.config.name, kReportBoundNs / 1'000'000'000,
      service.reported.at_ns() == 0
          ? std::string("never")
          : std::to_string((now_ns - service.reported.at_ns()) / 1'000'000'000));
}

}  // namespace flare
