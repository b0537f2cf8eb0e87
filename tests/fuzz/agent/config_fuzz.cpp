// The configuration: any text is either accepted, and then keeps what docs/configuration.md
// promises, or refused with a problem that has a place in the text and can be printed.
#include <algorithm>
#include <cctype>

#include "agent/must.h"
#include "discovery/file_source.h"

namespace {

using flare::fuzz::must;

flare::HostPorts some_host() { return {}; }

void judge_problem(const flare::Problem& problem, long lines) {
  must(!problem.what.empty(), "a problem says what it is");
  must(problem.place.line >= 0 && problem.place.line <= lines + 1, "a problem has a place",
       problem.what);
  const std::string shown = flare::to_text(problem, "flare.yaml");
  must(std::none_of(shown.begin(), shown.end(),
                    [](char letter) { return std::iscntrl(static_cast<unsigned char>(letter)); }),
       "a problem can be printed", shown);
}

void judge_service(const flare::ServiceConfig& service) {
  must(!service.name.empty() && service.name.size() <= 63 &&
           service.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") ==
               std::string::npos,
       "a service's name is of [a-z0-9-]{1,63}", service.name);
  must(service.frontend.port != 0, "a frontend has a port", service.name);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const flare::HostPorts host = some_host();
  const std::string_view text = flare::fuzz::text_of(bytes, size);
  const flare::Verdict verdict = flare::read_config_text(text, host);
  must(verdict.config.has_value() == verdict.problems.empty(), "accepted, or refused with reason");
  const long lines = std::count(text.begin(), text.end(), '\n') + 1;
  for (const flare::Problem& problem : verdict.problems) judge_problem(problem, lines);
  if (verdict.config)
    for (const flare::ServiceConfig& service : verdict.config->services) judge_service(service);
  return 0;
}
