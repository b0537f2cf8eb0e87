// Lines of the control socket: whatever a line says, the answer is one line of JSON that says
// whether it was done, and who is not root changes nothing. The first byte of an input is the
// asker.
#include "agent/must.h"
#include "service/commands.h"

namespace {

using flare::Done;
using flare::Endpoint;
using flare::Result;
using flare::fuzz::must;

/// Notes whether something was changed; an answer echoes the question, as the agent's do.
class Watcher final : public flare::Operations {
 public:
  Result<Done> set_share(const std::string& service, std::optional<double> share) override {
    must(!share || (*share >= 0 && *share <= 1), "a share is from 0 to 1");
    return change(service);
  }
  Result<Done> drain(const std::string& service, const Endpoint& backend, bool,
                     Generation) override {
    return change(service, backend);
  }
  Result<Done> add_backend(const std::string& service, const Endpoint& endpoint,
                           const flare::ToldBackend& backend, Generation) override {
    must(backend.weight <= flare::kWeightMax && backend.workers <= flare::kWorkersMax &&
             backend.capacity_rps >= 0 && backend.capacity_rps <= flare::kCapacityMax,
         "figures of a backend are in their range");
    return change(service, endpoint);
  }
  Result<Done> remove_backend(const std::string& service, const Endpoint& endpoint,
                              Generation) override {
    return change(service, endpoint);
  }
  Result<Done> set_workers(const std::string& service, const flare::WorkersChange& told,
                           Generation) override {
    must(told.workers || told.capacity_rps, "a change changes something");
    return change(service);
  }
  Result<Done> endpoints(const std::string& service) override { return look(service); }
  Result<Done> report(const std::string& service, const flare::LoadReport& load) override {
    must(load.in_flight || load.requests, "a report says something");
    return change(service);
  }
  Result<Done> health(const std::string& service) override { return look(service); }
  Result<Done> detach(const std::string& interface) override { return change(interface); }
  Result<Done> reload() override { return change(""); }
  Result<Done> ping() override { return Done{nullptr, nullptr, "here"}; }

  int changes = 0;

 private:
  Result<Done> look(const std::string& service) const {
    if (service.size() % 2 == 1) return flare::Error("there is no service '" + service + "'");
    return Done{service, nullptr, service};
  }
  Result<Done> change(const std::string& service) {
    ++changes;
    return look(service);
  }
  Result<Done> change(const std::string& service, const Endpoint& endpoint) {
    must(endpoint.port != 0, "a backend has a port");
    return change(service);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  Watcher watcher;
  const bool root = (bytes[0] & 1) == 0;
  const flare::Peer peer{1, root ? 0U : 1000U, 0};
  const std::string answer =
      flare::answer_command(watcher, peer, flare::fuzz::text_of(bytes + 1, size - 1));
  must(answer.find('\n') == std::string::npos, "an answer is one line", answer);
  const auto json = nlohmann::json::parse(answer, nullptr, false);
  must(json.is_object() && json.contains("ok") && json["ok"].is_boolean(), "it says ok", answer);
  must(json["ok"].get<bool>() || (json.contains("error") && json["error"].is_string()),
       "a refusal has a reason", answer);
  must(root || watcher.changes == 0, "only root changes anything", answer);
  must(watcher.changes <= 1, "a line is one change", answer);
  return 0;
}
