// The agent's control socket: one JSON object a line to it, one back.
#pragma once

#include "base/result.h"
#include "flarectl/context.h"

namespace flare::ctl {

/// What came of a request.
struct AgentAnswer {
  enum class Kind : std::uint8_t { kDone, kRefused, kNoAgent, kFailed };
  Kind kind = Kind::kFailed;
  Json body;            ///< of the agent's answer
  std::string message;  ///< why it was not done
};

/// Sends `request` and waits up to `timeout_s` seconds for the answer.
AgentAnswer ask_agent(const Context& context, const Json& request, int timeout_s = 10);

/// Asks, prints what the agent says (or the whole answer as JSON) and returns the exit code.
int ask_and_print(const Context& context, const char* command, const Json& request);

}  // namespace flare::ctl
