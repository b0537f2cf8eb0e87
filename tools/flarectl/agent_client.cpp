#include "flarectl/agent_client.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <iostream>

#include "base/unique_fd.h"

namespace flare::ctl {
namespace {

constexpr std::size_t kAnswerBytes = 1 << 20;

AgentAnswer failed(AgentAnswer::Kind kind, std::string message) {
  return {kind, {}, std::move(message)};
}

AgentAnswer why_unreachable(const Context& context, int cause) {
  std::string what =
      "cannot reach flared at " + context.socket.string() + ": " + std::strerror(cause);
  if (cause == ENOENT || cause == ECONNREFUSED) {
    return failed(AgentAnswer::Kind::kNoAgent,
                  what + " (is it running? systemctl status flared; another socket: --socket)");
  }
  if (cause == EACCES) what += " (needs root, or membership of group 'flare')";
  return failed(AgentAnswer::Kind::kFailed, what);
}

std::string text_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

/// Reads up to the end of the line.
AgentAnswer read_answer(int fd) {
  std::string line;
  std::array<char, 4096> chunk;
  while (line.size() < kAnswerBytes) {
    ssize_t got = ::recv(fd, chunk.data(), chunk.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      bool timed_out = errno == EAGAIN || errno == EWOULDBLOCK;
      return failed(AgentAnswer::Kind::kFailed,
                    timed_out
                        ? "flared did not answer in time; it may be stopped or busy"
                        : std::string("cannot read flared's answer: ") + std::strerror(errno));
    }
    if (got == 0) return failed(AgentAnswer::Kind::kFailed, "flared closed the connection");
    line.append(chunk.data(), static_cast<std::size_t>(got));
    if (line.find('\n') == std::string::npos) continue;
    Json body = Json::parse(line, nullptr, false);
    if (!body.is_object() || !body.contains("ok")) {
      return failed(AgentAnswer::Kind::kFailed, "flared's answer is not understood: " + line);
    }
    if (body["ok"] == true) return {AgentAnswer::Kind::kDone, std::move(body), ""};
    const std::string error =
        body.contains("error") ? text_of(body["error"]) : std::string("no reason given");
    return {AgentAnswer::Kind::kRefused, std::move(body), "flared refuses: " + error};
  }
  return failed(AgentAnswer::Kind::kFailed, "flared's answer is too long");
}

}  // namespace

AgentAnswer ask_agent(const Context& context, const Json& request, int timeout_s) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::string path = context.socket.string();
  if (path.size() >= sizeof(address.sun_path)) {
    return failed(AgentAnswer::Kind::kFailed, "the socket's path is too long: " + path);
  }
  path.copy(address.sun_path, path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  timeval patience{timeout_s, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return why_unreachable(context, errno);
  }
  std::string line = request.dump() + "\n";
  if (::send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(line.size())) {
    return why_unreachable(context, errno);
  }
  return read_answer(fd.get());
}

int ask_and_print(const Context& context, const char* command, const Json& request) {
  AgentAnswer answer = ask_agent(context, request);
  if (answer.kind != AgentAnswer::Kind::kDone) {
    bool unknown_name = answer.message.find("no service") != std::string::npos ||
                        answer.message.find("has no backend") != std::string::npos;
    return fail(unknown_name ? kNotFound : kFailure, answer.message);
  }
  if (context.json) {
    print_json(command, answer.body);
    return kOk;
  }
  if (answer.body.contains("message")) {
    std::cout << text_of(answer.body["message"]) << '\n';
  } else if (answer.body.contains("old") && answer.body.contains("new")) {
    std::cout << text_of(answer.body["old"]) << " -> " << text_of(answer.body["new"]) << '\n';
  } else {
    std::cout << "done\n";
  }
  return kOk;
}

}  // namespace flare::ctl
