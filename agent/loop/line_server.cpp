#include "loop/line_server.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace flare {
namespace {

// Those beyond wait for the loop's next turn: a crowd at the door must not keep it from its work.
constexpr int kAcceptsPerTurn = 64;

/// Binds to a name beside `path` and renames it there: the path is never without its mode.
Result<UniqueFd> listening_socket(const std::filesystem::path& path, gid_t group) {
  const std::string fresh = path.string() + ".new";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (fresh.size() >= sizeof(address.sun_path)) {
    return Error("socket path '" + path.string() + "' is too long");
  }
  std::memcpy(address.sun_path, fresh.c_str(), fresh.size() + 1);

  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return Error::from_errno("cannot make a unix socket", errno);
  ::unlink(fresh.c_str());
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return Error::from_errno("cannot bind socket '" + path.string() + "'", errno);
  }
  if (::chmod(fresh.c_str(), 0660) != 0 ||
      ::chown(fresh.c_str(), static_cast<uid_t>(-1), group) != 0 || ::listen(fd.get(), 16) != 0 ||
      ::rename(fresh.c_str(), path.c_str()) != 0) {
    const int fault = errno;
    ::unlink(fresh.c_str());
    return Error::from_errno("cannot set up socket '" + path.string() + "'", fault);
  }
  return fd;
}

/// Whether the other end has read enough for more.
bool has_room(int fd) {
  pollfd one{fd, POLLOUT, 0};
  return ::poll(&one, 1, 0) == 1;
}

}  // namespace

LineServer::LineServer(EventLoop& loop, UniqueFd fd, std::filesystem::path path,
                       LineServerLimits limits, Handler handler)
    : loop_(loop),
      fd_(std::move(fd)),
      path_(std::move(path)),
      limits_(limits),
      handler_(std::move(handler)) {}

Result<std::unique_ptr<LineServer>> LineServer::listen(EventLoop& loop,
                                                       const std::filesystem::path& path,
                                                       gid_t group, LineServerLimits limits,
                                                       Handler handler) {
  auto fd = listening_socket(path, group);
  if (!fd) return fd.error();
  const int number = fd->get();
  std::unique_ptr<LineServer> server(
      new LineServer(loop, *std::move(fd), path, limits, std::move(handler)));
  auto deaf = Timer::once(loop, [self = server.get()] { self->close_deaf(); });
  if (!deaf) return deaf.error();
  server->deaf_ = *std::move(deaf);
  auto watched =
      loop.watch(number, EPOLLIN, [self = server.get()](std::uint32_t) { self->accept_all(); });
  if (!watched) return watched.error();
  return server;
}

void LineServer::accept_all() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    UniqueFd fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd) return;
    ucred credentials{};
    socklen_t size = sizeof(credentials);
    if (::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) continue;
    const Peer peer{credentials.pid, credentials.uid, credentials.gid};
    if (!make_room(peer)) continue;

    const int number = fd.get();
    auto watched = loop_.watch(number, EPOLLIN,
                               [this, number](std::uint32_t events) { on_client(number, events); });
    if (!watched) continue;
    Client client;
    client.fd = std::move(fd);
    client.peer = peer;
    client.heard = Clock::now();
    clients_.emplace(number, std::move(client));
  }
}

/// Whether there is a place for `peer`, which the longest silent may have to leave. Root's places
/// are taken by root alone, so that nobody can lock it out by talking.
bool LineServer::make_room(const Peer& peer) {
  const bool is_root = peer.uid == 0;
  std::size_t others = 0;
  auto silent = clients_.end();
  for (auto it = clients_.begin(); it != clients_.end(); ++it) {
    const bool is_other = it->second.peer.uid != 0;
    others += is_other ? 1U : 0U;
    if (!is_root && !is_other) continue;
    if (silent == clients_.end() || it->second.heard < silent->second.heard) silent = it;
  }
  if (clients_.size() < limits_.clients && (is_root || others < limits_.others)) return true;
  if (silent == clients_.end() || Clock::now() - silent->second.heard < limits_.silence)
    return false;
  close_client(silent->first);
  return true;
}

void LineServer::on_client(int fd, std::uint32_t events) {
  const auto found = clients_.find(fd);
  if (found == clients_.end()) return;
  Client& client = found->second;
  bool open = (events & EPOLLERR) == 0;
  if (open && (events & EPOLLIN) != 0) open = receive(client);
  if (open) open = answer_lines(client) && flush(client);
  if (open && (events & EPOLLIN) == 0 && (events & EPOLLHUP) != 0) open = false;
  if (!open) {
    close_client(fd);
    return;
  }
  // While answers wait, or whole lines do, the loop comes back as soon as the client can be written
  // to; it does not take in more until then.
  client.deadline.reset();
  const bool busy = !client.output.empty() || client.input.find('\n') != std::string::npos;
  if (busy) await_reader(client);
  if (!loop_.rewatch(fd, busy ? EPOLLOUT : EPOLLIN)) close_client(fd);
}

bool LineServer::receive(Client& client) {
  std::array<char, 4096> buffer{};
  const ssize_t size = ::recv(client.fd.get(), buffer.data(), buffer.size(), 0);
  if (size < 0) return errno == EAGAIN || errno == EINTR;
  if (size == 0) return false;
  client.input.append(buffer.data(), static_cast<std::size_t>(size));
  return true;
}

bool LineServer::answer_lines(Client& client) {
  for (int i = 0; i < limits_.requests_per_turn; ++i) {
    const std::size_t end = client.input.find('\n');
    if (end == std::string::npos) return client.input.size() <= limits_.line_bytes;
    if (end > limits_.line_bytes) return false;
    const std::string line = client.input.substr(0, end);
    client.input.erase(0, end + 1);
    client.heard = Clock::now();
    client.output += handler_(client.peer, line);
    client.output += '\n';
    if (client.output.size() > limits_.answer_bytes) return false;
  }
  return true;
}

bool LineServer::flush(Client& client) {
  if (client.output.empty()) return true;
  const ssize_t sent = ::send(client.fd.get(), client.output.data(), client.output.size(),
                              MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0) return errno == EAGAIN || errno == EINTR;
  client.output.erase(0, static_cast<std::size_t>(sent));
  return true;
}

/// It is called again once the client has read most of what its socket holds.
void LineServer::await_reader(Client& client) {
  client.deadline = Clock::now() + limits_.reading;
  if (!deaf_runs_) deaf_runs_ = deaf_->restart(limits_.reading).has_value();
}

/// Where we were late ourselves, the event of a client that did read is still to come.
void LineServer::close_deaf() {
  const auto now = Clock::now();
  std::optional<Clock::time_point> next;
  for (auto at = clients_.begin(); at != clients_.end();) {
    auto& [fd, client] = *at++;
    if (!client.deadline) continue;
    if (*client.deadline <= now) {
      if (!has_room(fd)) {
        close_client(fd);
        continue;
      }
      client.deadline = now + limits_.reading;
    }
    next = next ? std::min(*next, *client.deadline) : *client.deadline;
  }
  deaf_runs_ = next && deaf_->restart(*next - now).has_value();
}

void LineServer::close_client(int fd) {
  loop_.forget(fd);
  clients_.erase(fd);
}

LineServer::~LineServer() {
  for (const auto& [fd, client] : clients_) loop_.forget(fd);
  loop_.forget(fd_.get());
  ::unlink(path_.c_str());
}

}  // namespace flare
