#include "service/commands.h"

namespace flare {
namespace {

using nlohmann::json;

/// Far above any server, far below where sums would overflow.
constexpr std::uint64_t kInFlightMost = 1'000'000'000;
constexpr std::uint64_t kRequestsMost = 1'000'000'000'000'000'000;

Result<std::string> text_of(const json& request, const char* key) {
  const auto found = request.find(key);
  if (found == request.end() || !found->is_string()) {
    return Error(std::string("the command needs \"") + key + "\" as text");
  }
  return found->get<std::string>();
}

Result<void> only_keys(const json& request, std::initializer_list<std::string_view> known) {
  for (const auto& [key, value] : request.items()) {
    bool found = key == "command";
    for (const std::string_view one : known) found = found || key == one;
    if (!found) return Error("unknown key \"" + key + "\"");
  }
  return {};
}

Result<Done> share_set(Operations& operations, const json& request) {
  auto keys = only_keys(request, {"service", "share"});
  if (!keys) return keys.error();
  auto service = text_of(request, "service");
  if (!service) return service.error();
  const auto share = request.find("share");
  if (share == request.end() || !share->is_number()) {
    return Error("the command needs \"share\" as a number from 0 to 1");
  }
  const double value = share->get<double>();
  if (!(value >= 0 && value <= 1)) return Error("a share is a number from 0 to 1");
  return operations.set_share(*service, value);
}

Result<Done> share_auto(Operations& operations, const json& request) {
  auto keys = only_keys(request, {"service"});
  if (!keys) return keys.error();
  auto service = text_of(request, "service");
  if (!service) return service.error();
  return operations.set_share(*service, std::nullopt);
}

Result<Done> backend_drain(Operations& operations, const json& request, bool drained) {
  auto keys = only_keys(request, {"service", "backend"});
  if (!keys) return keys.error();
  auto service = text_of(request, "service");
  if (!service) return service.error();
  auto backend = text_of(request, "backend");
  if (!backend) return backend.error();
  const auto endpoint = Endpoint::parse(*backend);
  if (!endpoint)
    return Error("a backend is an address and port as 192.0.2.1:80 or [2001:db8::1]:80");
  return operations.drain(*service, *endpoint, drained);
}

/// A whole number that may be missing.
Result<std::optional<std::uint64_t>> count_of(const json& request, const char* key,
                                              std::uint64_t most) {
  const auto found = request.find(key);
  if (found == request.end()) return std::optional<std::uint64_t>();
  if (!found->is_number_unsigned() || found->get<std::uint64_t>() > most) {
    return Error(std::string("\"") + key + "\" is " + found->dump() +
                 "; accepted: a whole number from 0 to " + std::to_string(most));
  }
  return std::optional(found->get<std::uint64_t>());
}

Result<Done> report(Operations& operations, const json& request) {
  auto keys = only_keys(request, {"service", "in_flight", "requests"});
  if (!keys) return keys.error();
  auto service = text_of(request, "service");
  if (!service) return service.error();
  auto in_flight = count_of(request, "in_flight", kInFlightMost);
  if (!in_flight) return in_flight.error();
  auto requests = count_of(request, "requests", kRequestsMost);
  if (!requests) return requests.error();
  if (!*in_flight && !*requests) {
    return Error(R"(a report needs "in_flight", "requests" or both, as whole numbers)");
  }
  return operations.report(*service, {*in_flight, *requests});
}

Result<Done> detach(Operations& operations, const json& request) {
  auto keys = only_keys(request, {"interface"});
  if (!keys) return keys.error();
  auto interface = text_of(request, "interface");
  if (!interface) return interface.error();
  return operations.detach(*interface);
}

/// Of one service, or of all.
Result<Done> health(Operations& operations, const json& request) {
  auto keys = only_keys(request, {"service"});
  if (!keys) return keys.error();
  if (!request.contains("service")) return operations.health("");
  auto service = text_of(request, "service");
  if (!service) return service.error();
  return operations.health(*service);
}

Result<Done> run(Operations& operations, const Peer& peer, const json& request) {
  if (!request.is_object()) return Error("a command is a JSON object");
  auto command = text_of(request, "command");
  if (!command) return command.error();
  if (*command == "ping") return operations.ping();
  if (*command == "health") return health(operations, request);
  if (peer.uid != 0)
    return Error("only root may change anything (uid " + std::to_string(peer.uid) + ")");
  if (*command == "share-set") return share_set(operations, request);
  if (*command == "share-auto") return share_auto(operations, request);
  if (*command == "backend-drain") return backend_drain(operations, request, true);
  if (*command == "backend-undrain") return backend_drain(operations, request, false);
  if (*command == "report") return report(operations, request);
  if (*command == "detach") return detach(operations, request);
  if (*command == "reload") return operations.reload();
  return Error("unknown command \"" + *command +
               "\"; there are: ping, health, share-set, share-auto, "
               "backend-drain, backend-undrain, report, detach, reload");
}

}  // namespace

std::string answer_command(Operations& operations, const Peer& peer, std::string_view line) {
  const json request = json::parse(line, nullptr, false);
  const auto done = request.is_discarded() ? Result<Done>(Error("the line is not JSON"))
                                           : run(operations, peer, request);
  // Text that is not UTF-8 is replaced: an answer must not fail over an echo of the question.
  const auto dump = [](const json& answer) {
    return answer.dump(-1, ' ', false, json::error_handler_t::replace);
  };
  if (!done) return dump({{"ok", false}, {"error", done.error().message()}});
  return dump(
      {{"ok", true}, {"old", done->before}, {"new", done->after}, {"message", done->message}});
}

}  // namespace flare
