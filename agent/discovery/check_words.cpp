#include "discovery/check_words.h"

namespace flare {

std::string service_key(std::size_t service, std::string_view field) {
  return "services[" + std::to_string(service) + "]." + std::string(field);
}

std::string service_key(std::size_t service, std::string_view list, std::size_t item,
                        std::string_view field) {
  return service_key(service, list) + "[" + std::to_string(item) + "]" +
         (field.empty() ? "" : "." + std::string(field));
}

std::string named(const ServiceConfig& service) { return "service " + in_quotes(service.name); }

std::vector<Address> snat_of(const ServiceConfig& service) {
  if (!service.snat.empty()) return service.snat;
  if (service.frontend.port == 0 || service.placement == FLARE_PLACEMENT_SENDER) return {};
  return {service.frontend.address};
}

}  // namespace flare
