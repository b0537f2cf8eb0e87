#include "health/curl_loop.h"

#include <sys/epoll.h>

#include <chrono>
#include <string>
#include <utility>

namespace flare {
namespace {

Error refused(CURLMcode code) {
  return Error(std::string("libcurl refuses: ") + curl_multi_strerror(code));
}

/// Once for the process. No TLS: checks are in the clear, and have no need of its set-up.
CURLcode initialise() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_NOTHING);
  return code;
}

}  // namespace

Result<std::unique_ptr<CurlLoop>> CurlLoop::make(EventLoop& loop, Done done) {
  const CURLcode code = initialise();
  if (code != CURLE_OK) {
    return Error(std::string("libcurl cannot start: ") + curl_easy_strerror(code));
  }
  CURLM* multi = curl_multi_init();
  if (multi == nullptr) return Error("libcurl cannot make a multi handle");
  std::unique_ptr<CurlLoop> made(new CurlLoop(loop, multi, std::move(done)));
  auto set = made->set_up();
  if (!set) return set.error();
  return made;
}

Result<void> CurlLoop::set_up() {
  auto timer = Timer::once(loop_, [this] { act(CURL_SOCKET_TIMEOUT, 0); });
  if (!timer) return timer.error();
  timer_ = *std::move(timer);
  for (const CURLMcode code : {curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &on_socket),
                               curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this),
                               curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &on_timer),
                               curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this)}) {
    if (code != CURLM_OK) return refused(code);
  }
  return {};
}

CurlLoop::~CurlLoop() { curl_multi_cleanup(multi_); }

Result<void> CurlLoop::start(CURL* easy) {
  const CURLMcode code = curl_multi_add_handle(multi_, easy);
  if (code != CURLM_OK) return refused(code);
  return {};
}

void CurlLoop::remove(CURL* easy) { curl_multi_remove_handle(multi_, easy); }

void CurlLoop::act(curl_socket_t socket, int events) {
  int running = 0;
  curl_multi_socket_action(multi_, socket, events, &running);
  int waiting = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &waiting)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* easy = message->easy_handle;
    const CURLcode code = message->data.result;
    curl_multi_remove_handle(multi_, easy);
    done_(easy, code);
  }
}

void CurlLoop::on_ready(curl_socket_t socket, std::uint32_t events) {
  int mask = 0;
  if ((events & EPOLLIN) != 0) mask |= CURL_CSELECT_IN;
  if ((events & EPOLLOUT) != 0) mask |= CURL_CSELECT_OUT;
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) mask |= CURL_CSELECT_ERR;
  act(socket, mask);
}

/// A socket that cannot be watched ends all transfers (CURLM_ABORTED_BY_CALLBACK), which is told as
/// no verdict: it is no fault of a backend.
int CurlLoop::on_socket(CURL* /*easy*/, curl_socket_t socket, int what, void* self, void* known) {
  auto& loop = *static_cast<CurlLoop*>(self);
  if (what == CURL_POLL_REMOVE) {
    loop.loop_.forget(socket);
    return 0;
  }
  std::uint32_t events = 0;
  if (what != CURL_POLL_OUT) events |= EPOLLIN;
  if (what != CURL_POLL_IN) events |= EPOLLOUT;
  if (known != nullptr) return loop.loop_.rewatch(socket, events) ? 0 : -1;
  auto watched = loop.loop_.watch(
      socket, events, [&loop, socket](std::uint32_t ready) { loop.on_ready(socket, ready); });
  if (!watched) return -1;
  curl_multi_assign(loop.multi_, socket, self);
  return 0;
}

int CurlLoop::on_timer(CURLM* /*multi*/, long timeout_ms, void* self) {
  auto& loop = *static_cast<CurlLoop*>(self);
  // A timer of 0 is one that is stopped.
  const std::chrono::nanoseconds delay = timeout_ms < 0    ? std::chrono::nanoseconds(0)
                                         : timeout_ms == 0 ? std::chrono::nanoseconds(1)
                                                           : std::chrono::milliseconds(timeout_ms);
  return loop.timer_->restart(delay) ? 0 : -1;
}

}  // namespace flare
