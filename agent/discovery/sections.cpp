#include "discovery/sections.h"

#include <net/if.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "discovery/field_kinds.h"

namespace flare {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kSecond{1'000};
constexpr milliseconds kHour{3'600'000};
constexpr std::size_t kSocketPathBytes = 100;
constexpr std::size_t kPathBytes = 1024;
constexpr std::size_t kPatternBytes = 63;
constexpr std::string_view kNameWords = "the name of a network interface";
constexpr std::string_view kPatternWords =
    "a pattern of names of network interfaces as veth* (*, ? or [...])";

bool is_interface_name(std::string_view name) {
  return !name.empty() && name.size() < IFNAMSIZ && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return c > ' ' && c < 0x7f && c != '/' && c != ':'; });
}

/// Characters that make a pattern of a name.
constexpr std::string_view kWild = "*?[";

bool is_interface_pattern(std::string_view text) {
  return text.size() <= kPatternBytes && text.find_first_of(kWild) != std::string_view::npos &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return c > ' ' && c < 0x7f && c != '/'; });
}

void read_interface(const YamlNode& node, const std::string& key, Draft& draft,
                    Problems& problems) {
  InterfaceConfig interface;
  Place place = node.place;
  int given = 0;
  const auto name = [&](std::string& target, bool (*fits)(std::string_view),
                        std::string_view accepted) -> FieldReader {
    return [&, fits, accepted](const YamlNode& value, const std::string& field) {
      place = value.place;
      ++given;
      if (value.kind == YamlNode::Kind::kScalar && fits(value.text)) {
        target = value.text;
      } else {
        problems.refuse(value.place, field, describe(value), accepted);
      }
    };
  };
  read_fields(node, key,
              {{"name", name(interface.name, is_interface_name, kNameWords), {}},
               {"match", name(interface.match, is_interface_pattern, kPatternWords), {}},
               word_field("mode", {"auto", "xdp", "tc"}, interface.mode, problems),
               word_field("tc", {"auto", "tcx", "clsact"}, interface.tc, problems)},
              problems);
  if (given != 1 && node.kind == YamlNode::Kind::kMap) {
    problems.refuse(place, key, given == 0 ? "neither name nor match" : "name and match",
                    "one of them");
  }
  draft.config.interfaces.push_back(interface);
  draft.interfaces.push_back(place);
}

void read_nat(const YamlNode& node, const std::string& key, Draft& draft, Problems& problems) {
  NatConfig& nat = draft.config.nat;
  draft.nat = node.place;
  const auto port = [&](std::uint16_t& target) {
    return [&target, &draft, &problems](const YamlNode& value, const std::string& field) {
      draft.nat = value.place;
      const auto number = read_integer(value, field, {1024, 65535, "a port"}, problems);
      if (number) target = static_cast<std::uint16_t>(*number);
    };
  };
  const FieldReader reserve = [&](const YamlNode& value, const std::string& field) {
    if (const auto flag = read_flag(value, field, problems)) nat.reserve = *flag;
  };
  read_fields(node, key,
              {{"port_min", port(nat.port_min), {}},
               {"port_max", port(nat.port_max), {}},
               {"reserve", reserve, {}}},
              problems);
}

void read_timeouts(const YamlNode& node, const std::string& key, Draft& draft, Problems& problems) {
  TimeoutConfig& timeouts = draft.config.timeouts;
  const DurationRange brief{kSecond, kHour};
  const DurationRange lasting{kSecond, 24 * 7 * kHour};
  read_fields(node, key,
              {duration_field("tcp_handshake", brief, timeouts.tcp_handshake, problems),
               duration_field("tcp_established", lasting, timeouts.tcp_established, problems),
               duration_field("tcp_closing", brief, timeouts.tcp_closing, problems),
               duration_field("tcp_reset", brief, timeouts.tcp_reset, problems),
               duration_field("udp_unreplied", brief, timeouts.udp_unreplied, problems),
               duration_field("udp_replied", lasting, timeouts.udp_replied, problems)},
              problems);
}

void read_limits(const YamlNode& node, const std::string& key, Draft& draft, Problems& problems) {
  LimitConfig& limits = draft.config.limits;
  draft.limits = node.place;
  read_fields(
      node, key,
      {integer_field("services", {1, FLARE_SERVICES_MAX, "services"}, limits.services, problems),
       integer_field("backends", {2, FLARE_BACKENDS_MAX, "ids, the first unused"}, limits.backends,
                     problems),
       integer_field("flows", {1, FLARE_FLOWS_MAX / 2, "translated flows"}, limits.flows, problems),
       integer_field("embryos", {64, FLARE_EMBRYOS_MAX / 2, "unfinished handshakes"},
                     limits.embryos, problems)},
      problems);
}

std::optional<std::filesystem::path> read_path(const YamlNode& node, const std::string& key,
                                               std::size_t bytes, Problems& problems) {
  const std::string accepted =
      "an absolute path of at most " + std::to_string(bytes) + " bytes, without ..";
  const auto text = read_text(node, key, accepted, problems);
  if (!text) return std::nullopt;
  const std::filesystem::path path(*text);
  const bool climbs = std::find(path.begin(), path.end(), "..") != path.end();
  if (path.is_absolute() && !climbs && text->size() <= bytes) return path;
  problems.refuse(node.place, key, describe(node), accepted);
  return std::nullopt;
}

Field path_field(std::string_view name, std::size_t bytes, std::filesystem::path& target,
                 Problems& problems) {
  return {name,
          [bytes, &target, &problems](const YamlNode& node, const std::string& key) {
            if (const auto path = read_path(node, key, bytes, problems)) target = *path;
          },
          {}};
}

void read_source(const YamlNode& node, const std::string& key, Draft& draft, Problems& problems) {
  const bool scalar = node.kind == YamlNode::Kind::kScalar;
  const auto prefix = scalar ? Prefix::parse(node.text) : std::nullopt;
  if (!prefix) {
    problems.refuse(node.place, key, describe(node),
                    "a prefix as 192.0.2.0/24 or \"2001:db8::/32\", with no bit set behind it");
    return;
  }
  draft.config.serverless_sources.push_back(*prefix);
  draft.serverless_sources.push_back(node.place);
}

void read_cgroup(const YamlNode& node, const std::string& key, Draft& draft, Problems& problems) {
  const auto path = read_path(node, key, kPathBytes, problems);
  if (!path) return;
  const std::filesystem::path normal = path->lexically_normal();
  draft.config.cgroups.push_back(normal.has_filename() ? normal : normal.parent_path());
  draft.cgroups.push_back(node.place);
}

void read_agent(const YamlNode& node, const std::string& key, Draft& draft, Problems& problems) {
  AgentConfig& agent = draft.config.agent;
  const std::vector<std::string_view> levels{"trace", "debug", "info", "warning", "error"};
  const FieldReader level = [&](const YamlNode& value, const std::string& field) {
    if (const auto index = read_word(value, field, levels, problems)) {
      agent.log_level = levels[*index];
    }
  };
  read_fields(
      node, key,
      {path_field("control_socket", kSocketPathBytes, agent.control_socket, problems),
       path_field("state_dir", kPathBytes, agent.state_dir, problems),
       path_field("pin_dir", kPathBytes, agent.pin_dir, problems),
       duration_field("heartbeat_bound", {2 * kSecond, kHour}, agent.heartbeat_bound, problems),
       integer_field("flood_rate", {0, 100'000'000, "new flows a second on one CPU; 0 is no limit"},
                     agent.flood_rate, problems),
       {"log_level", level, {}}},
      problems);
}

}  // namespace

Draft read_sections(const YamlNode& root, Problems& problems) {
  Draft draft;
  draft.nat = draft.limits = root.place;
  const auto section = [&](auto reader) {
    return [reader, &draft, &problems](const YamlNode& node, const std::string& key) {
      reader(node, key, draft, problems);
    };
  };
  const auto list = [&](auto reader) {
    return [reader, &draft, &problems](const YamlNode& node, const std::string& key) {
      read_items(
          node, key,
          [&](const YamlNode& item, const std::string& name) {
            reader(item, name, draft, problems);
          },
          problems);
    };
  };
  read_fields(root, "",
              {{"interfaces", list(read_interface), "a list of network interfaces"},
               {"services", list(read_service), "a list of services"},
               {"serverless_sources", list(read_source), {}},
               {"cgroups", list(read_cgroup), {}},
               {"nat", section(read_nat), {}},
               {"timeouts", section(read_timeouts), {}},
               {"limits", section(read_limits), {}},
               {"agent", section(read_agent), {}}},
              problems);
  return draft;
}

}  // namespace flare
