#include "health/check_transfer.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <initializer_list>
#include <string_view>

#include "base/clock.h"

namespace flare {
namespace {

/// More than this before the answer's end of headers is no health page.
constexpr std::size_t kHeaderBytesMost = 65'536;
/// A check that ends so long after its time was up was late for want of us.
constexpr std::uint64_t kStallNs = 200'000'000;
constexpr long kReceiveBytes = 4096;

/// Sets an option and keeps the first error.
template <typename Value>
void set(CURL* easy, CURLcode& first, CURLoption option, Value value) {
  const CURLcode code = curl_easy_setopt(easy, option, value);
  if (first == CURLE_OK) first = code;
}

std::string url_of(const Endpoint& to) { return "http://" + to.text() + "/"; }

/// Errors of connect() that are about this machine.
bool is_ours(long error) {
  switch (error) {
    case EADDRNOTAVAIL:  // no local port is free
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EPERM:  // a filter of this machine
      return true;
    default:
      return false;
  }
}

}  // namespace

CheckPlan plan_of(const HealthConfig& health, const Endpoint& backend) {
  return {Endpoint{backend.address, health.port.value_or(backend.port)},
          health.check,
          health.path,
          health.host,
          health.status_min,
          health.status_max,
          health.interval,
          health.timeout};
}

Result<std::unique_ptr<CheckTransfer>> CheckTransfer::make() {
  CURL* easy = curl_easy_init();
  if (easy == nullptr) return Error("libcurl cannot make a handle");
  return std::unique_ptr<CheckTransfer>(new CheckTransfer(easy));
}

Result<void> CheckTransfer::prepare(const CheckPlan& plan) {
  CURL* easy = handle();
  plan_ = plan;
  header_bytes_ = 0;
  headers_done_ = false;
  socket_errno_ = 0;
  curl_easy_reset(easy);
  CURLcode code = CURLE_OK;
  set(easy, code, CURLOPT_PRIVATE, static_cast<void*>(this));
  set(easy, code, CURLOPT_URL, url_of(plan.to).c_str());
  set(easy, code, CURLOPT_PROTOCOLS_STR, "http");
  set(easy, code, CURLOPT_PROXY, "");  // whatever the environment says
  set(easy, code, CURLOPT_NOSIGNAL, 1L);
  set(easy, code, CURLOPT_FRESH_CONNECT, 1L);
  set(easy, code, CURLOPT_FORBID_REUSE, 1L);
  set(easy, code, CURLOPT_BUFFERSIZE, kReceiveBytes);
  set(easy, code, CURLOPT_TIMEOUT_MS, static_cast<long>(plan.timeout.count()));
  set(easy, code, CURLOPT_OPENSOCKETFUNCTION, &CheckTransfer::open_socket);
  set(easy, code, CURLOPT_OPENSOCKETDATA, static_cast<void*>(this));
  if (plan.check == HealthConfig::Check::kHttp) {
    const CURLcode http = prepare_http(plan);
    if (code == CURLE_OK) code = http;
  } else {
    set(easy, code, CURLOPT_CONNECT_ONLY, 1L);
  }
  if (code == CURLE_OK) return {};
  return Error(std::string("libcurl refuses a check: ") + curl_easy_strerror(code));
}

CURLcode CheckTransfer::prepare_http(const CheckPlan& plan) {
  CURL* easy = handle();
  CURLcode code = CURLE_OK;
  headers_.reset(curl_slist_append(nullptr, "Connection: close"));
  if (!plan.host.empty() && headers_ != nullptr) {
    // Appends to the list whose head it returns.
    if (curl_slist_append(headers_.get(), ("Host: " + plan.host).c_str()) == nullptr) {
      return CURLE_OUT_OF_MEMORY;
    }
  }
  if (headers_ == nullptr) return CURLE_OUT_OF_MEMORY;
  set(easy, code, CURLOPT_HTTPHEADER, headers_.get());
  set(easy, code, CURLOPT_USERAGENT, "flare-health/" FLARE_VERSION);
  set(easy, code, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  // As it is written: no dots are taken out of it.
  set(easy, code, CURLOPT_REQUEST_TARGET, plan.path.c_str());
  set(easy, code, CURLOPT_HEADERFUNCTION, &CheckTransfer::on_header);
  set(easy, code, CURLOPT_HEADERDATA, static_cast<void*>(this));
  set(easy, code, CURLOPT_WRITEFUNCTION, &CheckTransfer::on_body);
  set(easy, code, CURLOPT_WRITEDATA, static_cast<void*>(this));
  return code;
}

curl_socket_t CheckTransfer::open_socket(void* self, curlsocktype /*purpose*/,
                                         curl_sockaddr* address) {
  const int fd = ::socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                          address->protocol);
  if (fd < 0) {
    static_cast<CheckTransfer*>(self)->socket_errno_ = errno;
    return CURL_SOCKET_BAD;
  }
  const linger reset{1, 0};
  static_cast<void>(::setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)));
  return fd;
}

/// Gets a header line at a time. Less than it was given ends the transfer.
std::size_t CheckTransfer::on_header(const char* data, std::size_t size, std::size_t count,
                                     void* self) {
  auto& transfer = *static_cast<CheckTransfer*>(self);
  const std::string_view line(data, size * count);
  transfer.header_bytes_ += line.size();
  if (transfer.header_bytes_ > kHeaderBytesMost) return 0;
  if (line != "\r\n" && line != "\n") return line.size();
  long status = 0;
  curl_easy_getinfo(transfer.handle(), CURLINFO_RESPONSE_CODE, &status);
  if (status < 200) return line.size();  // an interim answer: another one follows
  transfer.headers_done_ = true;
  return 0;
}

std::size_t CheckTransfer::on_body(const char* /*data*/, std::size_t /*size*/,
                                   std::size_t /*count*/, void* /*self*/) {
  return 0;
}

CheckResult CheckTransfer::result(CURLcode code, std::uint64_t took_ns) const {
  using Verdict = CheckResult::Verdict;
  if (socket_errno_ != 0) return {Verdict::kUnknown, std::strerror(socket_errno_)};
  if (plan_.check == HealthConfig::Check::kHttp && headers_done_) return http_result(code);
  switch (code) {
    case CURLE_OK:
      if (plan_.check == HealthConfig::Check::kTcp) return {Verdict::kPassed, "connected"};
      return {Verdict::kFailed, "closed in the headers"};
    case CURLE_OPERATION_TIMEDOUT:
      if (took_ns > to_ns(plan_.timeout) + kStallNs) {
        return {Verdict::kUnknown, "flared was late"};
      }
      return {Verdict::kFailed, connection_trouble()};
    case CURLE_COULDNT_CONNECT: {
      long error = 0;
      curl_easy_getinfo(handle(), CURLINFO_OS_ERRNO, &error);
      return {is_ours(error) ? Verdict::kUnknown : Verdict::kFailed,
              error == 0 ? "cannot connect" : std::strerror(static_cast<int>(error))};
    }
    case CURLE_FAILED_INIT:
    case CURLE_ABORTED_BY_CALLBACK:
      return {Verdict::kUnknown, curl_easy_strerror(code)};
    case CURLE_OUT_OF_MEMORY:  // also what libcurl calls a header line without end
      if (!has_connected()) return {Verdict::kUnknown, curl_easy_strerror(code)};
      return {Verdict::kFailed, "a header line is too long"};
    default:
      return http_result(code);
  }
}

/// What became of a check that did connect.
CheckResult CheckTransfer::http_result(CURLcode code) const {
  using Verdict = CheckResult::Verdict;
  if (headers_done_) {
    long status = 0;
    curl_easy_getinfo(handle(), CURLINFO_RESPONSE_CODE, &status);
    const std::string word = "status " + std::to_string(status);
    if (status >= plan_.status_min && status <= plan_.status_max) return {Verdict::kPassed, word};
    return {Verdict::kFailed, word};
  }
  if (header_bytes_ > kHeaderBytesMost) return {Verdict::kFailed, "more than 64 KiB of headers"};
  switch (code) {
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
      return {Verdict::kFailed, "the answer is not HTTP/1"};
    case CURLE_GOT_NOTHING:
      return {Verdict::kFailed, "closed without an answer"};
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
      return {Verdict::kFailed, "connection reset"};
    default:
      return {Verdict::kFailed, curl_easy_strerror(code)};
  }
}

bool CheckTransfer::has_connected() const {
  curl_off_t connected_us = 0;
  curl_easy_getinfo(handle(), CURLINFO_CONNECT_TIME_T, &connected_us);
  return connected_us > 0;
}

std::string CheckTransfer::connection_trouble() const {
  return (has_connected() ? "connected, but no answer in " : "no connection in ") +
         std::to_string(plan_.timeout.count()) + " ms";
}

}  // namespace flare
