#include "tag_server.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "e2e/lab.h"
#include "e2e/peers.h"

namespace flare::test {

TagServer::TagServer(const std::string& network_namespace, const std::string& endpoint, char tag)
    : listener_(silent_server(network_namespace, endpoint)),
      stop_(::eventfd(0, EFD_CLOEXEC)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      tag_(tag) {
  watch(listener_.get());
  watch(stop_.get());
  thread_ = std::thread([this] { serve(); });
}

TagServer::~TagServer() {
  const std::uint64_t one = 1;
  (void)!::write(stop_.get(), &one, sizeof one);
  thread_.join();
}

void TagServer::watch(int fd) const {
  epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
}

void TagServer::accept_all() {
  while (true) {
    UniqueFd accepted(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!accepted) return;
    const int fd = accepted.get();
    watch(fd);
    connections_[fd] = std::move(accepted);
    (void)!::send(fd, &tag_, 1, MSG_NOSIGNAL);
  }
}

void TagServer::answer(int fd) {
  std::array<char, 64> buffer;
  const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) {
    connections_.erase(fd);
    return;
  }
  buffer.fill(tag_);
  (void)!::send(fd, buffer.data(), static_cast<std::size_t>(got), MSG_NOSIGNAL);
}

void TagServer::serve() {
  std::array<epoll_event, 64> events;
  while (true) {
    const int ready =
        ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < ready; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == stop_.get()) return;
      if (fd == listener_.get())
        accept_all();
      else
        answer(fd);
    }
  }
}

std::uint64_t resets_sent(const std::string& network_namespace) {
  const NamespaceScope scope(network_namespace);
  std::ifstream file("/proc/thread-self/net/snmp");
  std::string names, values;
  while (std::getline(file, names)) {
    if (!names.starts_with("Tcp:") || !std::getline(file, values)) continue;
    std::istringstream name_list(names), value_list(values);
    std::string name, value;
    while (name_list >> name && value_list >> value)
      if (name == "OutRsts") return std::stoull(value);
  }
  throw std::runtime_error("no OutRsts in /proc/net/snmp");
}

}  // namespace flare::test
