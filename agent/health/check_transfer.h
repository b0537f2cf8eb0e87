// One check of one backend as libcurl makes it: what is asked, and what the answer means.
#pragma once

#include <curl/curl.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "model/config.h"

namespace flare {

/// What is checked, and how.
struct CheckPlan {
  Endpoint to;  ///< with the port that is checked
  HealthConfig::Check check = HealthConfig::Check::kTcp;
  std::string path = "/";
  std::string host;  ///< empty: the address
  std::uint16_t status_min = 200;
  std::uint16_t status_max = 399;
  std::chrono::milliseconds interval{2'000};
  std::chrono::milliseconds timeout{1'000};
  bool operator==(const CheckPlan&) const = default;
};

/// The plan for a backend; of no use where the service has no active checks.
CheckPlan plan_of(const HealthConfig& health, const Endpoint& backend);

struct CheckResult {
  /// kUnknown: it could not be made, for reasons on our side; it says nothing of the backend.
  enum class Verdict : std::uint8_t { kPassed, kFailed, kUnknown };
  Verdict verdict = Verdict::kUnknown;
  std::string why;  ///< a few words for the person who reads it
};

/// A handle of libcurl that makes one check after the other. Each has a connection of its own,
/// which ends with a RST: it leaves no TIME_WAIT behind on either side. Of an HTTP answer it takes
/// the headers alone.
class CheckTransfer {
 public:
  static Result<std::unique_ptr<CheckTransfer>> make();
  CheckTransfer(const CheckTransfer&) = delete;
  CheckTransfer& operator=(const CheckTransfer&) = delete;

  /// Makes the handle ready for a check. It must not be in a multi handle.
  Result<void> prepare(const CheckPlan& plan);
  /// What the check that ended with `code` after `took_ns` says.
  CheckResult result(CURLcode code, std::uint64_t took_ns) const;

  CURL* handle() const { return easy_.get(); }

 private:
  struct Cleanup {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };

  explicit CheckTransfer(CURL* easy) : easy_(easy) {}
  CURLcode prepare_http(const CheckPlan& plan);
  CheckResult http_result(CURLcode code) const;
  bool has_connected() const;
  std::string connection_trouble() const;
  static curl_socket_t open_socket(void* self, curlsocktype purpose, curl_sockaddr* address);
  static std::size_t on_header(const char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t on_body(const char* data, std::size_t size, std::size_t count, void* self);

  std::unique_ptr<CURL, Cleanup> easy_;
  std::unique_ptr<curl_slist, Cleanup> headers_;
  CheckPlan plan_;
  std::size_t header_bytes_ = 0;
  bool headers_done_ = false;  ///< of the final answer
  int socket_errno_ = 0;
};

}  // namespace flare
