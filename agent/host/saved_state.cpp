#include "host/saved_state.h"

#include <nlohmann/json.hpp>

#include "host/small_file.h"

namespace flare {
namespace {

constexpr int kVersion = 1;
constexpr std::size_t kStateBytes = 16 << 20;

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
      const auto endpoint = Endpoint::parse(backend.get<std::string>());
      if (!endpoint) return Error("a backend that is no address and port");
      state.drained[service].insert(*endpoint);
    }
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
                      {"drained", nlohmann::json::object()}};
  for (const auto& [service, share] : state.pinned_shares) json["pinned_shares"][service] = share;
  for (const auto& [service, backends] : state.drained) {
    auto& list = json["drained"][service] = nlohmann::json::array();
    for (const Endpoint& backend : backends) list.push_back(backend.text());
  }
  return replace_file(path, json.dump(2) + "\n", 0600);
}

}  // namespace flare
