#include "service/commands.h"

#include <limits>

#include "model/words.h"

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

/// As JSON, whatever the text in it.
std::string shown(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// A whole number that may be missing.
Result<std::optional<std::uint64_t>> count_of(const json& request, const char* key,
                                              std::uint64_t least, std::uint64_t most) {
  const auto found = request.find(key);
  if (found == request.end()) return std::optional<std::uint64_t>();
  if (!found->is_number_unsigned() || found->get<std::uint64_t>() < least ||
      found->get<std::uint64_t>() > most) {
    return Error(std::string("\"") + key + "\" is " + shown(*found) +
                 "; accepted: a whole number from " + std::to_string(least) + " to " +
                 std::to_string(most));
  }
  return std::optional(found->get<std::uint64_t>());
}

/// Requests a second; may be missing.
Result<std::optional<double>> capacity_of(const json& request) {
  const auto found = request.find("capacity_rps");
  if (found == request.end()) return std::optional<double>();
  const double value = found->is_number() ? found->get<double>() : 0;
  if (!(value >= kCapacityMin && value <= kCapacityMax)) {
    return Error("\"capacity_rps\" is " + shown(*found) +
                 "; accepted: a number from 0.1 to 10000000");
  }
  return std::optional(value);
}

Result<Endpoint> endpoint_of(const json& request) {
  auto text = text_of(request, "backend");
  if (!text) return text.error();
  const auto endpoint = Endpoint::parse(*text);
  if (!endpoint)
    return Error("a backend is an address and port as 192.0.2.1:80 or [2001:db8::1]:80");
  return *endpoint;
}

Result<Operations::Generation> generation_of(const json& request) {
  return count_of(request, "generation", 0, std::numeric_limits<std::uint64_t>::max());
}

/// Which backend of which service a request is about.
struct Subject {
  std::string service;
  Endpoint backend;
};

Result<Subject> subject_of(const json& request) {
  auto service = text_of(request, "service");
  if (!service) return service.error();
  auto endpoint = endpoint_of(request);
  if (!endpoint) return endpoint.error();
  return Subject{*service, *endpoint};
}

Result<Done> backend_drain(Operations& operations, const json& request, bool drained) {
  auto keys = only_keys(request, {"service", "backend", "generation"});
  if (!keys) return keys.error();
  auto subject = subject_of(request);
  if (!subject) return subject.error();
  auto generation = generation_of(request);
  if (!generation) return generation.error();
  return operations.drain(subject->service, subject->backend, drained, *generation);
}

Result<ToldBackend> told_backend(const json& request) {
  ToldBackend backend;
  if (const auto tier = request.find("tier"); tier != request.end()) {
    if (*tier == tier_word(FLARE_TIER_SERVERLESS)) {
      backend.tier = FLARE_TIER_SERVERLESS;
    } else if (*tier != tier_word(FLARE_TIER_VM)) {
      return Error("\"tier\" is " + shown(*tier) + R"(; accepted: "vm", "serverless")");
    }
  }
  auto weight = count_of(request, "weight", 0, kWeightMax);
  if (!weight) return weight.error();
  auto workers = count_of(request, "workers", 1, kWorkersMax);
  if (!workers) return workers.error();
  auto capacity = capacity_of(request);
  if (!capacity) return capacity.error();
  backend.weight = static_cast<std::uint32_t>(weight->value_or(1));
  backend.workers = static_cast<std::uint32_t>(workers->value_or(0));
  backend.capacity_rps = capacity->value_or(0);
  return backend;
}

Result<Done> backend_add(Operations& operations, const json& request) {
  auto keys = only_keys(
      request, {"service", "tier", "backend", "weight", "workers", "capacity_rps", "generation"});
  if (!keys) return keys.error();
  auto subject = subject_of(request);
  if (!subject) return subject.error();
  auto backend = told_backend(request);
  if (!backend) return backend.error();
  auto generation = generation_of(request);
  if (!generation) return generation.error();
  return operations.add_backend(subject->service, subject->backend, *backend, *generation);
}

Result<Done> backend_remove(Operations& operations, const json& request) {
  auto keys = only_keys(request, {"service", "backend", "generation"});
  if (!keys) return keys.error();
  auto subject = subject_of(request);
  if (!subject) return subject.error();
  auto generation = generation_of(request);
  if (!generation) return generation.error();
  return operations.remove_backend(subject->service, subject->backend, *generation);
}

bool is_null(const json& request, const char* key) {
  const auto found = request.find(key);
  return found != request.end() && found->is_null();
}

Result<Done> workers_set(Operations& operations, const json& request) {
  auto keys = only_keys(request, {"service", "workers", "capacity_rps", "generation"});
  if (!keys) return keys.error();
  auto service = text_of(request, "service");
  if (!service) return service.error();
  WorkersChange change;
  if (is_null(request, "workers")) {
    change.workers.emplace();
  } else {
    auto workers = count_of(request, "workers", 1, kWorkersMax);
    if (!workers) return workers.error();
    if (*workers) change.workers.emplace(static_cast<std::uint32_t>(**workers));
  }
  if (is_null(request, "capacity_rps")) {
    change.capacity_rps.emplace();
  } else {
    auto capacity = capacity_of(request);
    if (!capacity) return capacity.error();
    if (*capacity) change.capacity_rps.emplace(**capacity);
  }
  if (!change.workers && !change.capacity_rps) {
    return Error(R"(the command needs "workers", "capacity_rps" or both; null is as configured)");
  }
  auto generation = generation_of(request);
  if (!generation) return generation.error();
  return operations.set_workers(*service, change, *generation);
}

Result<Done> report(Operations& operations, const json& request) {
  auto keys = only_keys(request, {"service", "in_flight", "requests"});
  if (!keys) return keys.error();
  auto service = text_of(request, "service");
  if (!service) return service.error();
  auto in_flight = count_of(request, "in_flight", 0, kInFlightMost);
  if (!in_flight) return in_flight.error();
  auto requests = count_of(request, "requests", 0, kRequestsMost);
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

/// The service that is asked about; empty: all.
Result<std::string> service_or_all(const json& request) {
  auto keys = only_keys(request, {"service"});
  if (!keys) return keys.error();
  return request.contains("service") ? text_of(request, "service") : std::string();
}

Result<Done> health(Operations& operations, const json& request) {
  auto service = service_or_all(request);
  if (!service) return service.error();
  return operations.health(*service);
}

Result<Done> endpoints(Operations& operations, const json& request) {
  auto service = service_or_all(request);
  if (!service) return service.error();
  return operations.endpoints(*service);
}

Result<Done> run(Operations& operations, const Peer& peer, const json& request) {
  if (!request.is_object()) return Error("a command is a JSON object");
  auto command = text_of(request, "command");
  if (!command) return command.error();
  if (*command == "ping") return operations.ping();
  if (*command == "health") return health(operations, request);
  if (*command == "endpoints") return endpoints(operations, request);
  if (peer.uid != 0)
    return Error("only root may change anything (uid " + std::to_string(peer.uid) + ")");
  if (*command == "share-set") return share_set(operations, request);
  if (*command == "share-auto") return share_auto(operations, request);
  if (*command == "backend-drain") return backend_drain(operations, request, true);
  if (*command == "backend-undrain") return backend_drain(operations, request, false);
  if (*command == "backend-add") return backend_add(operations, request);
  if (*command == "backend-remove") return backend_remove(operations, request);
  if (*command == "workers-set") return workers_set(operations, request);
  if (*command == "report") return report(operations, request);
  if (*command == "detach") return detach(operations, request);
  if (*command == "reload") return operations.reload();
  return Error("unknown command \"" + *command +
               "\"; there are: ping, health, endpoints, share-set, share-auto, "
               "backend-drain, backend-undrain, backend-add, backend-remove, workers-set, report, "
               "detach, reload");
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
