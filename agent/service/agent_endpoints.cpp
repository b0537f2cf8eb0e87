// What the agent does for control planes: commands on backends and workers.
#include <fmt/format.h>

#include "model/words.h"
#include "service/agent.h"
#include "service/endpoint_report.h"

namespace flare {
namespace {

std::string figures_of(const ToldBackend& backend) {
  std::string text = fmt::format("tier {}, weight {}", tier_word(backend.tier), backend.weight);
  if (backend.workers > 0) text += fmt::format(", workers {}", backend.workers);
  if (backend.capacity_rps > 0) text += fmt::format(", capacity_rps {:g}", backend.capacity_rps);
  return text;
}

template <typename Value>
std::string figure_of(const char* name, const std::optional<std::optional<Value>>& value) {
  if (!value) return "";
  return *value ? fmt::format(" {}={}", name, **value) : fmt::format(" {}=configured", name);
}

}  // namespace

/// The answer to a command that was obeyed; `what` is the sentence for people.
Result<Done> Agent::told(const std::string& what, const Result<EndpointChange>& change) {
  if (!change) return change.error();
  const bool kept = change->before.generation != change->after.generation;
  if (change->changed || kept) remember();
  if (change->changed) {
    watch_health();
    parts_.log.info("told by a control plane service={} generation={} change=\"{}\"",
                    change->after.service, change->after.generation, what);
  }
  nlohmann::json before = endpoint_json(change->before);
  nlohmann::json after = endpoint_json(change->after);
  after["changed"] = change->changed;
  const std::string done = change->changed ? what : what + ": nothing to change";
  return Done{before, after, done + "; " + endpoints_sentence(change->after)};
}

Result<Done> Agent::add_backend(const std::string& service, const Endpoint& endpoint,
                                const ToldBackend& backend, Generation generation) {
  return told(fmt::format("backend {} added ({})", endpoint.text(), figures_of(backend)),
              services_.add_backend(service, endpoint, backend, generation, parts_.clock.now_ns()));
}

Result<Done> Agent::remove_backend(const std::string& service, const Endpoint& endpoint,
                                   Generation generation) {
  return told(fmt::format("backend {} removed", endpoint.text()),
              services_.remove_backend(service, endpoint, generation, parts_.clock.now_ns()));
}

Result<Done> Agent::set_workers(const std::string& service, const WorkersChange& change,
                                Generation generation) {
  return told(
      "set" + figure_of("workers", change.workers) + figure_of("capacity_rps", change.capacity_rps),
      services_.set_workers(service, change, generation, parts_.clock.now_ns()));
}

Result<Done> Agent::endpoints(const std::string& service) {
  auto all = services_.endpoints(service);
  if (!all) return all.error();
  std::size_t backends = 0;
  for (const ServiceEndpoints& one : *all) backends += one.backends.size();
  return Done{nullptr, endpoints_json(*all),
              fmt::format("{} backends of {} services", backends, all->size())};
}

}  // namespace flare
