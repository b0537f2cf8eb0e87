#include "backend/request.h"

#include <cmath>

#include "common/number.h"

namespace flare::lab {
namespace {

constexpr double kFactorMax = 1e6;

std::optional<double> to_factor(std::string_view text) {
  const auto factor = to_number<double>(text);
  if (!factor || !std::isfinite(*factor) || *factor < 0 || *factor > kFactorMax) {
    return std::nullopt;
  }
  return factor;
}

Result<void> read_path(std::string_view path, std::string_view method, BackendRequest& request) {
  constexpr std::string_view kNumbered = "/r/";
  constexpr std::string_view kBytes = "/bytes/";
  constexpr std::string_view kControl = "/control?slow=";
  if (path == "/stats") {
    request.kind = BackendRequest::Kind::kStats;
  } else if (path.starts_with(kControl)) {
    request.kind = BackendRequest::Kind::kControl;
    request.slow = to_factor(path.substr(kControl.size()));
    if (method != "PUT" || !request.slow) return Error("expected PUT /control?slow=<factor>");
  } else if (path.starts_with(kNumbered)) {
    request.number = to_number<std::uint64_t>(path.substr(kNumbered.size()));
    if (!request.number) return Error("expected a number after /r/");
  } else if (path.starts_with(kBytes)) {
    request.body_bytes = to_number<std::uint64_t>(path.substr(kBytes.size()));
    if (!request.body_bytes) return Error("expected a number after /bytes/");
  }
  return {};
}

Result<void> read_fields(const HttpHead& head, BackendRequest& request) {
  if (const auto number = head.field("X-Request-Number")) {
    request.number = to_number<std::uint64_t>(*number);
    if (!request.number) return Error("X-Request-Number is not a number");
  }
  if (const auto work = head.field("X-Work")) {
    const auto factor = to_factor(*work);
    if (!factor) return Error("X-Work is not a factor");
    request.work = *factor;
  }
  if (head.field("Transfer-Encoding")) return Error("chunked bodies are not supported");
  if (head.field("Content-Length")) {
    const auto length = head.content_length();
    if (!length) return Error("Content-Length is not a number");
    request.content_length = *length;
  }
  if (const auto expect = head.field("Expect")) {
    request.wants_continue = same_word(*expect, "100-continue");
  }
  return {};
}

}  // namespace

Result<BackendRequest> read_request(const HttpHead& head) {
  const std::string_view line = head.start_line;
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || last == first) return Error("the request line is broken");
  const std::string_view method = line.substr(0, first);
  const std::string_view path = line.substr(first + 1, last - first - 1);

  BackendRequest request;
  request.closes = head.closes() || line.ends_with("HTTP/1.0");
  request.echo_body = method == "POST" || method == "PUT";
  auto fields = read_fields(head, request);
  if (!fields) return fields.error();
  auto target = read_path(path, method, request);
  if (!target) return target.error();
  return request;
}

}  // namespace flare::lab
