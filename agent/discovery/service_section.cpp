// One service of the configuration.
#include <algorithm>
#include <cstddef>

#include "discovery/field_kinds.h"
#include "discovery/sections.h"

namespace flare {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kNameBytes = FLARE_NAME_BYTES - 1;
/// The hour's count has 40 bits in the datapath; this is far below and far above any need.
constexpr std::uint64_t kHourBudgetMax = 1'000'000'000;

bool is_service_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytes &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

void read_formula(const YamlNode& node, const std::string& key, FormulaConfig& formula,
                  Problems& problems) {
  read_fields(node, key,
              {duration_field("interval", {milliseconds(100), milliseconds(60'000)},
                              formula.interval, problems),
               number_field("significance", {0, 10, "standard deviations; 0 counts all growth"},
                            formula.significance, problems)},
              problems);
}

void read_spend(const YamlNode& node, const std::string& key, SpendConfig& spend,
                Problems& problems) {
  read_fields(
      node, key,
      {number_field("per_second", {0.001, 1e6, "spilled flows a second"}, spend.per_second,
                    problems),
       integer_field("burst", {1, 1'000'000, "spilled flows at once"}, spend.burst, problems),
       number_field("prefix_share",
                    {0.001, 1, "of per_second and burst for one prefix of clients; 1 is no limit"},
                    spend.prefix_share, problems),
       integer_field("per_hour", {0, kHourBudgetMax, "spilled flows an hour; 0 spills nothing"},
                     spend.per_hour, problems),
       integer_field("active", {0, FLARE_FLOWS_MAX, "concurrent spilled flows; 0 is no limit"},
                     spend.active, problems),
       integer_field("ramp_instances", {0, 1'000'000, "growth of concurrency; 0 is no limit"},
                     spend.ramp_instances, problems),
       duration_field("ramp_every", {milliseconds(100), milliseconds(3'600'000)}, spend.ramp_every,
                      problems)},
      problems);
}

void read_price(const YamlNode& node, const std::string& key, PriceConfig& price,
                Problems& problems) {
  read_fields(
      node, key,
      {number_field("usd_per_gb_second", {0, 1, "US dollars"}, price.usd_per_gb_second, problems),
       number_field("usd_per_million_requests", {0, 1e6, "US dollars"},
                    price.usd_per_million_requests, problems),
       number_field("memory_mb", {1, 1'048'576, "MB of one instance"}, price.memory_mb, problems),
       number_field("duration_ms", {0, 3'600'000, "ms of one request"}, price.duration_ms,
                    problems)},
      problems);
}

/// Runs `reader` on a map that belongs to `target`.
template <typename Target>
FieldReader into(void (*reader)(const YamlNode&, const std::string&, Target&, Problems&),
                 Target& target, Problems& problems) {
  return [reader, &target, &problems](const YamlNode& node, const std::string& key) {
    reader(node, key, target, problems);
  };
}

std::vector<Field> identity_fields(ServiceConfig& service, ServicePlaces& places,
                                   Problems& problems) {
  const FieldReader name = [&](const YamlNode& value, const std::string& key) {
    if (value.kind == YamlNode::Kind::kScalar && is_service_name(value.text)) {
      service.name = value.text;
      return;
    }
    problems.refuse(value.place, key, describe(value),
                    "1 to " + std::to_string(kNameBytes) + " of a-z, 0-9 and -");
  };
  const FieldReader frontend = [&](const YamlNode& value, const std::string& key) {
    if (const auto read = read_endpoint(value, key, problems)) service.frontend = *read;
  };
  const FieldReader protocol = [&](const YamlNode& value, const std::string& key) {
    const auto index = read_word(value, key, {"tcp", "udp"}, problems);
    if (index) service.protocol = *index == 0 ? Protocol::kTcp : Protocol::kUdp;
  };
  const FieldReader placement = [&](const YamlNode& value, const std::string& key) {
    const auto index = read_word(value, key, {"receiver", "balancer", "sender"}, problems);
    if (index) service.placement = static_cast<flare_placement>(*index);
    places.has_placement = index.has_value();
  };
  return {{"name", at_place(places.name, name), "1 to 63 of a-z, 0-9 and -"},
          {"frontend", at_place(places.frontend, frontend),
           "the address and port of the service as 192.0.2.1:80"},
          {"protocol", protocol, {}},
          {"placement", at_place(places.placement, placement), {}}};
}

std::vector<Field> policy_fields(ServiceConfig& service, ServicePlaces& places,
                                 Problems& problems) {
  Field policy = word_field("policy", {"observe", "formula", "cap"}, service.policy, problems);
  policy.read = [&places, read = at_place(places.policy, policy.read)](const YamlNode& node,
                                                                       const std::string& key) {
    places.has_policy = true;
    read(node, key);
  };
  return {
      policy,
      placed(places.counting, word_field("counting", {"auto", "connections", "reported"},
                                         service.counting, problems)),
      placed(places.move, word_field("move", {"none", "close"}, service.move.how, problems)),
      number_field("move_rate", {0.001, 1, "of a tier's requests"}, service.move.rate, problems),
      placed(places.move_idle, word_field("move_idle", {"off", "on"}, service.move.idle, problems)),
      placed(places.min_share,
             number_field("min_share", {0, 1, "of new flows"}, service.min_share, problems)),
      placed(places.capacity,
             number_field("capacity_rps",
                          {kCapacityMin, kCapacityMax, "requests a second that the VM tier serves"},
                          service.capacity_rps, problems)),
      placed(places.workers, integer_field("workers", {1, kWorkersMax, "requests at once"},
                                           service.workers, problems)),
      word_field("overload", {"vm", "reject", "drop"}, service.overload, problems),
      word_field("fallback", {"bucket", "vm"}, service.fallback, problems),
      integer_field("bucket_depth", {1, 1'000'000, "tokens"}, service.bucket_depth, problems),
      {"formula", into(read_formula, service.formula, problems), {}},
      {"spend", into(read_spend, service.spend, problems), {}},
      {"price", into(read_price, service.price, problems), {}}};
}

}  // namespace

void read_service(const YamlNode& node, const std::string& key, Draft& draft, Problems& problems) {
  ServiceConfig service;
  ServicePlaces places;
  places.service = places.name = places.frontend = places.policy = places.counting =
      places.move_idle = places.min_share = places.placement = places.chain =
          places.health_timeout = node.place;
  for (TierPlaces& tier : places.tier) tier.list = node.place;
  std::vector<Field> fields = identity_fields(service, places, problems);
  for (auto& more :
       {policy_fields(service, places, problems), tier_fields(service, places, problems)}) {
    fields.insert(fields.end(), more.begin(), more.end());
  }
  fields.push_back(health_field(service, places, problems));
  read_fields(node, key, fields, problems);
  // Requests of UDP are not counted, so that there is no cap to go by.
  if (!places.has_policy && service.protocol == Protocol::kUdp) {
    service.policy = FLARE_POLICY_OBSERVE;
  }
  draft.config.services.push_back(std::move(service));
  draft.services.push_back(std::move(places));
}

}  // namespace flare
