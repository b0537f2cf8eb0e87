#include <iostream>

#include "flarectl/context.h"

namespace flare::ctl {

int fail(int code, const std::string& message) {
  std::cerr << "flarectl: " << message << '\n';
  return code;
}

void print_json(const char* command, const Json& body) {
  Json document{{"schema_version", kSchemaVersion}, {"command", command}};
  document.update(body);
  std::cout << document.dump(2, ' ', false, Json::error_handler_t::replace) << std::endl;
}

}  // namespace flare::ctl
