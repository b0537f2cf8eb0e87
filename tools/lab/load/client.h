// Carries requests over connections, as the connection mode says, and fills their records.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "common/client_connection.h"
#include "load/record.h"
#include "loop/event_loop.h"
#include "model/address.h"

namespace flare::lab {

/// How requests share connections.
struct ConnectionMode {
  enum class Kind : std::uint8_t {
    kNew,   ///< one request a connection
    kKeep,  ///< `count` requests a connection; as many connections as are needed at once
    kPool,  ///< `count` connections, kept; requests wait for a free one
    kWarm,  ///< as kPool, but `count` connections are open before one is used again
  };
  Kind kind = Kind::kNew;
  std::uint32_t count = 1;

  /// Reads `new`, `keep=K`, `pool=M` or `warm=M`.
  static std::optional<ConnectionMode> parse(std::string_view text);
  std::string text() const;
};

struct ClientConfig {
  ConnectionMode mode;
  std::vector<Endpoint> targets;  ///< taken in turn
  std::vector<Address> sources;   ///< taken in turn; empty: as the kernel chooses
  std::string path = "/";
};

/// Sends each request at once, or in pool mode as soon as a connection is free. It keeps no time:
/// who sends decides when a request is given up.
class Client {
 public:
  /// `ended` is called once for each request that send() took, with its place in `records`.
  using Ended = std::function<void(std::size_t index)>;

  /// `records` outlives the client and holds what send() is asked to send; their times count from
  /// `zero_ns` of `clock`.
  Client(EventLoop& loop, const Clock& clock, ClientConfig config, std::uint64_t zero_ns,
         std::vector<RequestRecord>& records, Ended ended)
      : loop_(loop),
        clock_(clock),
        config_(std::move(config)),
        zero_ns_(zero_ns),
        records_(records),
        ended_(std::move(ended)) {}
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  /// Sends the request of `records[index]`.
  void send(std::size_t index);
  /// Ends a request that has had its time; nothing where it is over already.
  void give_up(std::size_t index);

  std::uint32_t connections_made() const { return next_id_; }

 private:
  struct Link {
    ClientConnection connection;
    std::optional<std::size_t> index;  ///< the request that is open on it
    bool last = false;                 ///< that request asked the server to close
  };

  void send_on(Link& link, std::size_t index);
  Link* idle_link();
  Link* open_link(int& failed);
  bool is_pool() const;
  bool may_open() const;
  void on_events(std::uint32_t id);
  void on_answer(Link& link);
  void close(std::uint32_t id);
  void end(std::size_t index, Outcome outcome);
  void send_waiting();
  std::uint32_t offset_us(const RequestRecord& record) const;
  std::string request_text(std::uint32_t number, bool last) const;

  EventLoop& loop_;
  const Clock& clock_;
  ClientConfig config_;
  std::uint64_t zero_ns_;
  std::vector<RequestRecord>& records_;
  Ended ended_;
  std::unordered_map<std::uint32_t, Link> links_;
  std::vector<std::uint32_t> idle_;  ///< used last, taken first; some may be closed by now
  std::deque<std::size_t> waiting_;  ///< for a connection of the pool; some may be given up
  std::uint32_t next_id_ = 0;
};

}  // namespace flare::lab
