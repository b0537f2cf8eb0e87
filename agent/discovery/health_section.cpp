// How a service's backends are known to be well.
#include <algorithm>
#include <charconv>
#include <utility>

#include "discovery/field_kinds.h"
#include "discovery/sections.h"

namespace flare {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kPathBytes = 256;
constexpr std::size_t kHostBytes = 253;
constexpr milliseconds kHour{3'600'000};

/// Fit to stand in a line of a request: nothing there may end it.
bool is_visible(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

Field text_field(std::string_view name, std::size_t bytes, std::string_view start,
                 std::string& target, Problems& problems) {
  return {name,
          [=, &target, &problems](const YamlNode& node, const std::string& key) {
            std::string accepted = std::to_string(bytes) + " visible ASCII characters at most";
            if (!start.empty()) accepted += ", from a " + std::string(start) + " on";
            const auto text = read_text(node, key, accepted, problems);
            if (!text) return;
            if (text->size() <= bytes && is_visible(*text) && text->starts_with(start)) {
              target = *text;
            } else {
              problems.refuse(node.place, key, describe(node), accepted);
            }
          },
          {}};
}

/// `200` or `200-399`.
std::optional<std::pair<std::uint16_t, std::uint16_t>> parse_statuses(std::string_view text) {
  const auto number = [](std::string_view part) -> std::uint16_t {
    std::uint16_t value = 0;
    const char* end = part.data() + part.size();
    const auto [stop, fault] = std::from_chars(part.data(), end, value);
    const bool good = fault == std::errc{} && stop == end && value >= 100 && value <= 599;
    return good ? value : std::uint16_t{0};
  };
  const std::size_t dash = text.find('-');
  const std::uint16_t min = number(text.substr(0, dash));
  const std::uint16_t max = dash == std::string_view::npos ? min : number(text.substr(dash + 1));
  if (min == 0 || max < min) return std::nullopt;
  return std::pair(min, max);
}

FieldReader status_reader(HealthConfig& health, Problems& problems) {
  return [&](const YamlNode& node, const std::string& key) {
    const bool scalar = node.kind == YamlNode::Kind::kScalar;
    const auto statuses = scalar ? parse_statuses(node.text) : std::nullopt;
    if (!statuses) {
      problems.refuse(node.place, key, describe(node),
                      "a status from 100 to 599, or a range of them as 200-399");
      return;
    }
    health.status_min = statuses->first;
    health.status_max = statuses->second;
  };
}

void read_health(const YamlNode& node, const std::string& key, HealthConfig& health,
                 ServicePlaces& places, Problems& problems) {
  places.health_timeout = node.place;
  const DurationRange pause{milliseconds(100), kHour};
  const DurationRange wait{milliseconds(10), milliseconds(60'000)};
  const DurationRange ejection{milliseconds(1'000), kHour};
  const IntegerRange row{1, 100, "checks in a row"};
  const NumberRange part{0, 1, "of a tier's backends"};
  Place& http = places.health_http;
  read_fields(
      node, key,
      {word_field("check", {"none", "tcp", "http"}, health.check, problems),
       integer_field("port", {1, 65535, "a port"}, health.port, problems),
       placed(http, text_field("path", kPathBytes, "/", health.path, problems)),
       placed(http, text_field("host", kHostBytes, "", health.host, problems)),
       placed(http, {"status", status_reader(health, problems), {}}),
       duration_field("interval", pause, health.interval, problems),
       placed(places.health_timeout, duration_field("timeout", wait, health.timeout, problems)),
       integer_field("rise", row, health.rise, problems),
       integer_field("fall", row, health.fall, problems),
       word_field("passive", {"off", "on"}, health.passive, problems),
       number_field("eject_max", part, health.eject_max, problems),
       duration_field("eject_time", ejection, health.eject_time, problems),
       duration_field("slow_start", {milliseconds(0), kHour}, health.slow_start, problems)},
      problems);
}

}  // namespace

Field health_field(ServiceConfig& service, ServicePlaces& places, Problems& problems) {
  return {"health",
          [&](const YamlNode& node, const std::string& key) {
            read_health(node, key, service.health, places, problems);
          },
          {}};
}

}  // namespace flare
