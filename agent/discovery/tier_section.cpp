// Where the flows of a service go: its two tiers, and how one of their backends is chosen.
#include <cstddef>

#include "discovery/field_kinds.h"
#include "discovery/sections.h"

namespace flare {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kAffinityMax{24 * 3'600'000};

void read_backend(const YamlNode& node, const std::string& key, std::vector<BackendConfig>& list,
                  TierPlaces& places, Problems& problems) {
  BackendConfig backend;
  BackendPlaces own;
  Place place = node.place;
  const FieldReader endpoint = [&](const YamlNode& value, const std::string& field) {
    place = value.place;
    if (const auto read = read_endpoint(value, field, problems)) backend.endpoint = *read;
  };
  read_fields(node, key,
              {{"endpoint", endpoint, "an address and port as 192.0.2.1:80"},
               integer_field("weight", {0, kWeightMax, "relative; 0 takes no new flows"},
                             backend.weight, problems),
               word_field("state", {"active", "draining", "down"}, backend.state, problems),
               placed(own.workers, integer_field("workers", {1, kWorkersMax, "requests at once"},
                                                 backend.workers, problems)),
               placed(own.capacity, number_field("capacity_rps",
                                                 {kCapacityMin, kCapacityMax,
                                                  "requests a second that the backend serves"},
                                                 backend.capacity_rps, problems))},
              problems);
  list.push_back(backend);
  places.backends.push_back(place);
  places.told.push_back(own);
}

Field backends_field(std::string_view name, std::vector<BackendConfig>& list, TierPlaces& places,
                     Problems& problems) {
  const FieldReader read = [&](const YamlNode& node, const std::string& key) {
    places.is_list = node.kind == YamlNode::Kind::kSequence;
    places.given = places.is_list && !node.items.empty();
    read_items(
        node, key,
        [&](const YamlNode& item, const std::string& item_key) {
          read_backend(item, item_key, list, places, problems);
        },
        problems);
  };
  return {name, at_place(places.list, read), {}};
}

}  // namespace

std::vector<Field> tier_fields(ServiceConfig& service, ServicePlaces& places, Problems& problems) {
  const FieldReader snat = [&](const YamlNode& node, const std::string& key) {
    read_items(
        node, key,
        [&](const YamlNode& item, const std::string& name) {
          const auto address = read_address(item, name, problems);
          if (!address) return;
          service.snat.push_back(*address);
          places.snat.push_back(item.place);
        },
        problems);
  };
  return {
      {"snat", snat, {}},
      placed(places.snat_mode,
             word_field("snat_mode", {"always", "never", "auto"}, service.snat_mode, problems)),
      word_field("select", {"hash", "least"}, service.select, problems),
      placed(places.chain, word_field("chain", {"return", "stay", "vm"}, service.chain, problems)),
      duration_field("affinity", {milliseconds(0), kAffinityMax}, service.affinity, problems),
      backends_field("vm", service.vm, places.tier[FLARE_TIER_VM], problems),
      backends_field("serverless", service.serverless, places.tier[FLARE_TIER_SERVERLESS],
                     problems)};
}

}  // namespace flare
