// libcurl's transfers in our event loop: its sockets and its timer as our callbacks.
#pragma once

#include <curl/curl.h>

#include <functional>
#include <memory>

#include "base/result.h"
#include "loop/event_loop.h"
#include "loop/timer.h"

namespace flare {

class CurlLoop {
 public:
  /// Gets each transfer that is over, which is the caller's again by then. It may start others.
  using Done = std::function<void(CURL* easy, CURLcode code)>;

  static Result<std::unique_ptr<CurlLoop>> make(EventLoop& loop, Done done);
  CurlLoop(const CurlLoop&) = delete;
  CurlLoop& operator=(const CurlLoop&) = delete;
  /// Every transfer was removed before.
  ~CurlLoop();

  /// Starts a transfer; `easy` stays the caller's and must live until it is done or removed.
  Result<void> start(CURL* easy);
  void remove(CURL* easy);

 private:
  CurlLoop(EventLoop& loop, CURLM* multi, Done done)
      : loop_(loop), multi_(multi), done_(std::move(done)) {}
  Result<void> set_up();
  void act(curl_socket_t socket, int events);
  void on_ready(curl_socket_t socket, std::uint32_t events);
  static int on_socket(CURL* easy, curl_socket_t socket, int what, void* self, void* known);
  static int on_timer(CURLM* multi, long timeout_ms, void* self);

  EventLoop& loop_;
  CURLM* multi_;
  Done done_;
  std::unique_ptr<Timer> timer_;
};

}  // namespace flare
