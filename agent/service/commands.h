// The control socket's language: one JSON object a line in, one a line out. docs/control.md.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "loop/line_server.h"
#include "model/address.h"
#include "service/endpoints.h"
#include "service/load_report.h"

namespace flare {

/// What a command did: the value before and after (null where there is none), and a sentence.
struct Done {
  nlohmann::json before;
  nlohmann::json after;
  std::string message;
};

/// What can be asked of a running agent.
class Operations {
 public:
  virtual ~Operations() = default;
  virtual Result<Done> set_share(const std::string& service, std::optional<double> share) = 0;
  /// `generation`: a control plane's; nullopt is the next one, or for drain() the last one.
  using Generation = std::optional<std::uint64_t>;
  virtual Result<Done> drain(const std::string& service, const Endpoint& backend, bool drained,
                             Generation generation) = 0;
  virtual Result<Done> add_backend(const std::string& service, const Endpoint& endpoint,
                                   const ToldBackend& backend, Generation generation) = 0;
  virtual Result<Done> remove_backend(const std::string& service, const Endpoint& endpoint,
                                      Generation generation) = 0;
  virtual Result<Done> set_workers(const std::string& service, const WorkersChange& change,
                                   Generation generation) = 0;
  /// Of one service, or with an empty name of all.
  virtual Result<Done> endpoints(const std::string& service) = 0;
  virtual Result<Done> report(const std::string& service, const LoadReport& load) = 0;
  virtual Result<Done> health(const std::string& service) = 0;
  virtual Result<Done> detach(const std::string& interface) = 0;
  virtual Result<Done> reload() = 0;
  virtual Result<Done> ping() = 0;
};

/// Does what `line` asks and returns the answer, without a newline. Changes are for root; a group
/// member may ping and ask for backends and their health.
std::string answer_command(Operations& operations, const Peer& peer, std::string_view line);

}  // namespace flare
