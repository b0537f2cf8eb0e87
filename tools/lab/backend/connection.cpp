#include "backend/connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace flare::lab {
namespace {

constexpr std::size_t kInputMax = 65'536;
constexpr std::uint64_t kMadeAtOnce = 65'536;

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 429:
      return "Too Many Requests";
    default:
      return "Bad Gateway";
  }
}

}  // namespace

Connection::Connection(UniqueFd fd) : fd_(std::move(fd)), watched_events_(EPOLLIN) {}

bool Connection::receive() {
  while (!client_done_ && input_.size() < kInputMax) {
    std::array<char, 16'384> buffer;
    const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) client_done_ = true;
    input_.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return true;
}

Result<std::optional<ReadRequest>> Connection::next_request() {
  if (answering_ || closing_) return std::optional<ReadRequest>{};
  if (!reading_) {
    auto head = parse_head(input_);
    if (!head) return head.error();
    if (!*head) return std::optional<ReadRequest>{};
    auto request = read_request(**head);
    if (!request) return request.error();
    input_.erase(0, (*head)->bytes);
    body_left_ = request->content_length;
    checksum_ = Checksum();
    if (request->wants_continue) output_ += "HTTP/1.1 100 Continue\r\n\r\n";
    reading_ = ReadRequest{*request, body_left_, 0};
  }
  const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(body_left_, input_.size()));
  checksum_.add(std::string_view(input_).substr(0, piece));
  input_.erase(0, piece);
  body_left_ -= piece;
  if (body_left_ > 0) return std::optional<ReadRequest>{};
  reading_->body_checksum = checksum_.value();
  answering_ = true;
  return std::exchange(reading_, std::nullopt);
}

void Connection::answer(const Answer& answer, bool close, std::optional<std::uint64_t> asked_ns) {
  if (asked_ns) {
    asked_ns_ = asked_ns;
    begun_ = false;
    earlier_left_ = output_.size() - output_sent_;
  }
  made_offset_ = 0;
  made_left_ = answer.made_bytes.value_or(0);
  output_ += "HTTP/1.1 " + std::to_string(answer.status) + " ";
  output_ += reason_phrase(answer.status);
  output_ +=
      "\r\nContent-Length: " + std::to_string(answer.made_bytes.value_or(answer.body.size())) +
      "\r\n";
  output_ += answer.fields;
  output_ += close ? "Connection: close\r\n\r\n" : "\r\n";
  if (!answer.made_bytes) output_ += answer.body;
  answering_ = false;
  closing_ = close;
}

bool Connection::send() {
  while (!all_sent()) {
    if (output_.empty()) {
      const std::uint64_t piece = std::min(made_left_, kMadeAtOnce);
      append_made_bytes(output_, made_offset_, piece);
      made_offset_ += piece;
      made_left_ -= piece;
    }
    const ssize_t sent = ::send(fd_.get(), output_.data() + output_sent_,
                                output_.size() - output_sent_, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    output_sent_ += static_cast<std::size_t>(sent);
    wrote(static_cast<std::uint64_t>(sent));
    if (output_sent_ == output_.size()) {
      output_.clear();
      output_sent_ = 0;
    }
  }
  return !closing_ && (!client_done_ || answering_);
}

void Connection::wrote(std::uint64_t bytes) {
  if (begun_) return;
  begun_ = bytes > earlier_left_;
  if (!begun_) earlier_left_ -= bytes;
}

std::optional<std::uint64_t> Connection::take_begun() {
  if (!begun_) return std::nullopt;
  return std::exchange(asked_ns_, std::nullopt);
}

std::optional<std::uint32_t> Connection::changed_events() {
  std::uint32_t events = 0;
  if (!client_done_ && input_.size() < kInputMax) events |= EPOLLIN;
  if (!all_sent()) events |= EPOLLOUT;
  if (std::exchange(watched_events_, events) == events) return std::nullopt;
  return events;
}

}  // namespace flare::lab
