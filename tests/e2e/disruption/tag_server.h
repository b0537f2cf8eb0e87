// A TCP server that says who it is: its tag for a greeting, and once for every byte that it gets.
#pragma once

#include <map>
#include <string>
#include <thread>

#include "base/unique_fd.h"

namespace flare::test {

class TagServer {
 public:
  TagServer(const std::string& network_namespace, const std::string& endpoint, char tag);
  /// Closes all connections.
  ~TagServer();
  TagServer(const TagServer&) = delete;
  TagServer& operator=(const TagServer&) = delete;

 private:
  void serve();
  void watch(int fd) const;
  void accept_all();
  void answer(int fd);

  UniqueFd listener_, stop_, epoll_;
  char tag_;
  std::map<int, UniqueFd> connections_;
  std::thread thread_;
};

/// TCP resets that the stack of a namespace has sent: each answers a segment of no connection
/// there.
std::uint64_t resets_sent(const std::string& network_namespace);

}  // namespace flare::test
