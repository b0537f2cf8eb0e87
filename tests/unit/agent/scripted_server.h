// A server on loopback that does with each connection what a test says.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "model/address.h"

namespace flare::test {

/// Serves one connection after the other, in a thread of its own.
class ScriptedServer {
 public:
  using Script = std::function<void(ScriptedServer& server, int fd)>;

  /// Listens on a free port of `address`. Without a script nothing is ever accepted.
  ScriptedServer(const std::string& address, Script script, int backlog = 128);
  ~ScriptedServer();

  Endpoint endpoint() const { return endpoint_; }
  /// What clients sent, as read_head() read it.
  std::vector<std::string> heads() const;
  bool stopping() const { return stopping_; }

  /// For scripts: reads up to the empty line, sends, or waits for the end (errno of it; 0: FIN).
  void read_head(int fd);
  void send(int fd, const std::string& text);
  static int wait_for_end(int fd);

 private:
  void serve();

  Script script_;
  UniqueFd fd_;
  Endpoint endpoint_;
  std::atomic<bool> stopping_ = false;
  mutable std::mutex mutex_;
  std::vector<std::string> heads_;
  std::thread thread_;
};

/// A script that answers each request with `text` and closes.
ScriptedServer::Script answers(std::string text);

/// An address at which SYNs are not answered: its queue is full and stays so.
class BlackHole {
 public:
  BlackHole();
  Endpoint endpoint() const { return server_.endpoint(); }

 private:
  ScriptedServer server_;
  std::vector<UniqueFd> queued_;
};

}  // namespace flare::test
