// A unix socket on which each line gets a line as answer.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.h"
#include "base/unique_fd.h"
#include "loop/event_loop.h"
#include "loop/timer.h"

namespace flare {

/// Who is at the other end of a connection, as the kernel says (SO_PEERCRED).
struct Peer {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
};

struct LineServerLimits {
  std::size_t clients = 16;                 ///< further ones are closed at once, but see `silence`
  std::size_t others = 12;                  ///< of these, so many may be of users other than root
  std::chrono::milliseconds silence{5000};  ///< who has said no whole line for so long gives way
  std::size_t line_bytes = 4096;            ///< a longer line closes the connection
  std::size_t answer_bytes = 262'144;       ///< unread answers; more closes the connection
  std::chrono::milliseconds reading{
      5000};                   ///< who reads too little in it for the next answer is closed
  int requests_per_turn = 16;  ///< lines of one client before others have their turn
};

/// Listens on `path` and answers each line with what `handler` returns. Never waits for a client.
class LineServer {
 public:
  using Handler = std::function<std::string(const Peer& peer, std::string_view line)>;

  /// Takes the place of a dead server's socket at `path`; the file gets mode 0660, owner us and
  /// group `group`.
  static Result<std::unique_ptr<LineServer>> listen(EventLoop& loop,
                                                    const std::filesystem::path& path, gid_t group,
                                                    LineServerLimits limits, Handler handler);
  LineServer(const LineServer&) = delete;
  LineServer& operator=(const LineServer&) = delete;
  /// Closes all connections and removes the socket file.
  ~LineServer();

 private:
  using Clock = std::chrono::steady_clock;

  struct Client {
    UniqueFd fd;
    Peer peer;
    Clock::time_point heard;  ///< its last whole line, or when it came
    std::string input;
    std::string output;
    /// While it has to read before there is room for more answers: until when.
    std::optional<Clock::time_point> deadline;
  };

  LineServer(EventLoop& loop, UniqueFd fd, std::filesystem::path path, LineServerLimits limits,
             Handler handler);
  void accept_all();
  bool make_room(const Peer& peer);
  void on_client(int fd, std::uint32_t events);
  bool receive(Client& client);
  bool answer_lines(Client& client);
  bool flush(Client& client);
  void await_reader(Client& client);
  void close_deaf();
  void close_client(int fd);

  EventLoop& loop_;
  UniqueFd fd_;
  std::filesystem::path path_;
  LineServerLimits limits_;
  Handler handler_;
  std::unordered_map<int, Client> clients_;
  std::unique_ptr<Timer> deaf_;
  bool deaf_runs_ = false;  ///< it does while a client has a deadline
};

}  // namespace flare
