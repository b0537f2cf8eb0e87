// The control socket's language: one JSON object a line in, one a line out. docs/control.md.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "loop/line_server.h"
#include "model/address.h"
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
  virtual Result<Done> drain(const std::string& service, const Endpoint& backend, bool drained) = 0;
  virtual Result<Done> report(const std::string& service, const LoadReport& load) = 0;
  virtual Result<Done> health(const std::string& service) = 0;
  virtual Result<Done> detach(const std::string& interface) = 0;
  virtual Result<Done> reload() = 0;
  virtual Result<Done> ping() = 0;
};

/// Does what `line` asks and returns the answer, without a newline. Changes are for root; a group
/// member may ping and ask for the health of backends.
std::string answer_command(Operations& operations, const Peer& peer, std::string_view line);

}  // namespace flare
