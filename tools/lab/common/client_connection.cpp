#include "common/client_connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "common/number.h"

namespace flare::lab {

void ClientConnection::request(std::string text) {
  output_ = std::move(text);
  input_.clear();
  ++requests_;
  busy_ = true;
  got_first_byte_ = got_head_ = until_close_ = false;
}

ClientConnection::Step ClientConnection::progress() {
  if (!connected_ && !finish_connecting()) return fail_by_errno(errno);
  if (!connected_) return Step::kWait;
  if (!write_out()) return fail_by_errno(errno);
  return read_in();
}

bool ClientConnection::finish_connecting() {
  int error = 0;
  socklen_t bytes = sizeof(error);
  ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &bytes);
  if (error != 0) {
    errno = error;
    return false;
  }
  sockaddr_storage peer{};
  bytes = sizeof(peer);
  connected_ = ::getpeername(fd_.get(), reinterpret_cast<sockaddr*>(&peer), &bytes) == 0;
  return true;
}

bool ClientConnection::write_out() {
  while (!output_.empty()) {
    const ssize_t sent = ::send(fd_.get(), output_.data(), output_.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    output_.erase(0, static_cast<std::size_t>(sent));
  }
  return true;
}

ClientConnection::Step ClientConnection::read_in() {
  for (;;) {
    std::array<char, 65'536> buffer;
    const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0) return errno == EAGAIN || errno == EINTR ? Step::kWait : fail_by_errno(errno);
    if (got == 0) {
      if (!busy_ || !until_close_ || !got_head_) return fail(Outcome::kClosed);
      busy_ = false;
      closing_ = true;
      return Step::kAnswered;
    }
    if (!busy_) return fail(Outcome::kBroken);  // bytes that nobody asked for
    got_first_byte_ = true;
    if (got_head_) {
      body_left_ -= std::min(body_left_, static_cast<std::uint64_t>(got));
    } else {
      input_.append(buffer.data(), static_cast<std::size_t>(got));
    }
    const Step step = parse();
    if (step != Step::kWait) return step;
  }
}

ClientConnection::Step ClientConnection::parse() {
  while (!got_head_) {
    auto head = parse_head(input_);
    if (!head) return fail(Outcome::kBroken);
    if (!*head) return Step::kWait;
    // "HTTP/1.1 200 OK": the status is the second word.
    const std::string_view line = (*head)->start_line;
    const auto space = std::min(line.find(' '), line.size());
    const auto status = to_number<std::uint16_t>(line.substr(std::min(space + 1, line.size()), 3));
    if (!status) return fail(Outcome::kBroken);
    input_.erase(0, (*head)->bytes);
    if (*status < 200) continue;  // an interim answer
    status_ = *status;
    answer_ = **std::move(head);
    got_head_ = true;
    closing_ = answer_.closes();
    const auto length = answer_.content_length();
    until_close_ = !length;
    body_left_ = length.value_or(0);
    body_left_ -= std::min<std::uint64_t>(body_left_, input_.size());
  }
  if (until_close_ || body_left_ > 0) return Step::kWait;
  busy_ = false;
  return Step::kAnswered;
}

ClientConnection::Step ClientConnection::fail(Outcome outcome) {
  outcome_ = outcome;
  return Step::kFailed;
}

ClientConnection::Step ClientConnection::fail_by_errno(int error) {
  if (error == ECONNREFUSED) return fail(Outcome::kRefused);
  if (error == ECONNRESET || error == EPIPE) return fail(Outcome::kReset);
  if (error == ETIMEDOUT) return fail(Outcome::kTimeout);
  return fail(Outcome::kNetwork);
}

std::uint32_t ClientConnection::wanted_events() const {
  const bool writing = !connected_ || !output_.empty();
  return EPOLLIN | (writing ? static_cast<std::uint32_t>(EPOLLOUT) : 0U);
}

}  // namespace flare::lab
