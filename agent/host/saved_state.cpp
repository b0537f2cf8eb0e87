#include "host/saved_state.h"

#include <nlohmann/json.hpp>

#include "host/small_file.h"
#include "model/words.h"

namespace flare {
namespace {

constexpr int kVersion = 1;
constexpr std::size_t kStateBytes = 64 << 20;

Result<Endpoint> endpoint_of(const nlohmann::json& text) {
  const auto endpoint = Endpoint::parse(text.get<std::string>());
  if (!endpoint) return Error("a backend that is no address and port");
  return *endpoint;
}

/// A figure that may be missing. Fails outside of its range.
template <typename Value>
Result<std::optional<Value>> figure_of(const nlohmann::json& json, const char* key, Value least,
                                       Value most) {
  const auto found = json.find(key);
  if (found == json.end()) return std::optional<Value>();
  const double value = found->get<double>();
  if (!(value >= static_cast<double>(least) && value <= static_cast<double>(most))) {
    return Error(std::string(key) + " outside its range");
  }
  return std::optional(found->get<Value>());
}

Result<ToldBackend> told_backend(const nlohmann::json& json) {
  ToldBackend backend;
  const auto tier = json.at("tier").get<std::string>();
  const bool serverless = tier == tier_word(FLARE_TIER_SERVERLESS);
  if (!serverless && tier != tier_word(FLARE_TIER_VM)) return Error("a tier that is not known");
  backend.tier = serverless ? FLARE_TIER_SERVERLESS : FLARE_TIER_VM;
  auto weight = figure_of<std::uint32_t>(json, "weight", 0, kWeightMax);
  if (!weight) return weight.error();
  auto workers = figure_of<std::uint32_t>(json, "workers", 1, kWorkersMax);
  if (!workers) return workers.error();
  auto capacity = figure_of<double>(json, "capacity_rps", kCapacityMin, kCapacityMax);
  if (!capacity) return capacity.error();
  backend.weight = weight->value_or(1);
  backend.workers = workers->value_or(0);
  backend.capacity_rps = capacity->value_or(0);
  return backend;
}

Result<ToldService> told_service(const nlohmann::json& json) {
  ToldService told;
  if (!json.at("generation").is_number_unsigned()) return Error("a generation that is no count");
  told.generation = json.at("generation").get<std::uint64_t>();
  for (const auto& one : json.at("added")) {
    auto endpoint = endpoint_of(one.at("backend"));
    if (!endpoint) return endpoint.error();
    auto backend = told_backend(one);
    if (!backend) return backend.error();
    told.added[*endpoint] = *backend;
  }
  for (const auto& one : json.at("removed")) {
    auto endpoint = endpoint_of(one);
    if (!endpoint) return endpoint.error();
    told.removed.insert(*endpoint);
  }
  auto workers = figure_of<std::uint32_t>(json, "workers", 1, kWorkersMax);
  if (!workers) return workers.error();
  auto capacity = figure_of<double>(json, "capacity_rps", kCapacityMin, kCapacityMax);
  if (!capacity) return capacity.error();
  told.workers = *workers;
  told.capacity_rps = *capacity;
  return told;
}

nlohmann::json to_json(const ToldService& told) {
  nlohmann::json json{{"generation", told.generation},
                      {"added", nlohmann::json::array()},
                      {"removed", nlohmann::json::array()}};
  for (const auto& [endpoint, backend] : told.added) {
    nlohmann::json one{{"backend", endpoint.text()},
                       {"tier", tier_word(backend.tier)},
                       {"weight", backend.weight}};
    if (backend.workers > 0) one["workers"] = backend.workers;
    if (backend.capacity_rps > 0) one["capacity_rps"] = backend.capacity_rps;
    json["added"].push_back(std::move(one));
  }
  for (const Endpoint& endpoint : told.removed) json["removed"].push_back(endpoint.text());
  if (told.workers) json["workers"] = *told.workers;
  if (told.capacity_rps) json["capacity_rps"] = *told.capacity_rps;
  return json;
}

Result<SavedState> from_json(const nlohmann::json& json) {
  if (!json.is_object() || json.value("version", 0) != kVersion) {
    return Error("not a state of version " + std::to_string(kVersion));
  }
  SavedState state;
  for (const auto& [service, share] : json.at("pinned_shares").items()) {
    const double value = share.get<double>();
    if (!(value >= 0 && value <= 1)) return Error("a share outside 0 to 1");
    state.pinned_shares[service] = value;
  }
  for (const auto& [service, backends] : json.at("drained").items()) {
    for (const auto& backend : backends) {
      auto endpoint = endpoint_of(backend);
      if (!endpoint) return endpoint.error();
      state.drained[service].insert(*endpoint);
    }
  }
  // A state from before there were control planes has none.
  const nlohmann::json all = json.value("told", nlohmann::json::object());
  if (!all.is_object()) return Error("something told that is no map of services");
  for (const auto& [service, told] : all.items()) {
    auto read = told_service(told);
    if (!read) return read.error();
    state.told[service] = *std::move(read);
  }
  return state;
}

}  // namespace

Result<SavedState> load_state(const std::filesystem::path& path) {
  auto text = read_small_file(path, kStateBytes);
  if (!text) return text.error();
  if (!*text) return SavedState{};
  const std::string where = "cannot understand '" + path.string() + "'";
  try {
    auto state = from_json(nlohmann::json::parse(**text));
    return state ? state : Result<SavedState>(state.error().within(where));
  } catch (const nlohmann::json::exception& error) {
    return Error(where + ": " + error.what());
  }
}

Result<void> save_state(const std::filesystem::path& path, const SavedState& state) {
  nlohmann::json json{{"version", kVersion},
                      {"pinned_shares", nlohmann::json::object()},
                      {"drained", nlohmann::json::object()},
                      {"told", nlohmann::json::object()}};
  for (const auto& [service, share] : state.pinned_shares) json["pinned_shares"][service] = share;
  for (const auto& [service, backends] : state.drained) {
    auto& list = json["drained"][service] = nlohmann::json::array();
    for (const Endpoint& backend : backends) list.push_back(backend.text());
  }
  for (const auto& [service, told] : state.told) json["told"][service] = to_json(told);
  return replace_file(path, json.dump(2) + "\n", 0600);
}

}  // namespace flare
