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

}  // namespace flare
