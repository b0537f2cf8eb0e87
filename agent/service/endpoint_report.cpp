#include "service/endpoint_report.h"

#include <fmt/format.h>

#include "model/words.h"

namespace flare {
namespace {

using nlohmann::json;

constexpr std::size_t kMost = 700;

json figures(const ServiceEndpoints& service) {
  json one{{"service", service.service}, {"generation", service.generation}};
  one["workers"] = service.workers > 0 ? json(service.workers) : json();
  one["cap"] = service.cap > 0 ? json(service.cap) : json();
  one["capacity_rps"] = service.capacity_rps > 0 ? json(service.capacity_rps) : json();
  return one;
}

json backend_json(const EndpointView& view) {
  const BackendConfig& backend = view.backend;
  json one{{"backend", backend.endpoint.text()},
           {"tier", tier_word(view.tier)},
           {"state", backend_state_word(view.state)},
           {"source", view.told ? "control-plane" : "configuration"},
           {"weight", backend.weight}};
  if (backend.workers > 0) one["workers"] = backend.workers;
  if (backend.capacity_rps > 0) one["capacity_rps"] = backend.capacity_rps;
  return one;
}

}  // namespace

json endpoints_json(std::span<const ServiceEndpoints> services) {
  json list = json::array();
  std::size_t shown = 0;
  std::size_t left_out = 0;
  for (const ServiceEndpoints& service : services) {
    json one = figures(service);
    one["backends"] = json::array();
    for (const EndpointView& view : service.backends) {
      if (shown == kMost) {
        ++left_out;
        continue;
      }
      ++shown;
      one["backends"].push_back(backend_json(view));
    }
    if (!one["backends"].empty() || services.size() == 1) list.push_back(std::move(one));
  }
  return {{"services", list}, {"left_out", left_out}};
}

json endpoint_json(const ServiceEndpoints& service) {
  json one = figures(service);
  one["backend"] = service.backends.size() == 1 ? backend_json(service.backends.front()) : json();
  return one;
}

std::string endpoints_sentence(const ServiceEndpoints& service) {
  const auto text = [](double value, const char* unit = "") {
    return value > 0 ? fmt::format("{}{}", value, unit) : std::string("unknown");
  };
  return fmt::format("{}: workers {}, cap {}, capacity {}, generation {}", service.service,
                     text(service.workers), service.cap > 0 ? text(service.cap) : "none",
                     text(service.capacity_rps, "/s"), service.generation);
}

}  // namespace flare
