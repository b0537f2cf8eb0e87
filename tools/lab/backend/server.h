// The backend: connections, the queue, the answers and the figures about them.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "backend/calls.h"
#include "backend/connection.h"
#include "backend/gauge.h"
#include "backend/instance_pool.h"
#include "backend/service_time.h"
#include "backend/work_queue.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "common/alarm.h"
#include "loop/event_loop.h"
#include "model/address.h"

namespace flare::lab {

struct ServerConfig {
  std::vector<Endpoint> listen;
  std::string tier = "vm";
  std::uint32_t slots = 32;      ///< 0: without limit
  double slow = 1;               ///< all service times are multiplied by it
  std::uint64_t body_bytes = 0;  ///< of answers that ask for no size of their own
  ServiceTimes times;
  InstanceConfig instances;
  CallsConfig calls;  ///< made for each request; no targets: none
  /// Borrowed; gets a line a request whose work was done: microseconds from its last byte read to
  /// the first byte of its answer written.
  std::ostream* log = nullptr;
};

/// Accepts at once, lets each request sleep its service time in a slot, makes its calls while it
/// keeps the slot, and answers. Requests wait for a slot in the order in which they came, without
/// bound.
class Server {
 public:
  static Result<std::unique_ptr<Server>> start(EventLoop& loop, const Clock& clock,
                                               ServerConfig config);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  /// The figures of /stats; their keys are in tools/lab/README.md.
  nlohmann::json stats() const;
  /// Port of the first listener, for tests that ask for port 0.
  std::uint16_t port() const;

 private:
  struct Job {
    std::uint64_t connection;
    std::uint64_t number;
    std::uint64_t work_ns;  ///< in its slot, the waiting for its calls included once they ended
    bool cold;
    std::uint64_t asked_ns;
    ReadRequest asked;
  };

  Server(EventLoop& loop, const Clock& clock, ServerConfig config);
  Result<void> listen();
  void accept_all(int listener);
  void on_connection(std::uint64_t id, std::uint32_t events);
  /// Reads on, answers what can be, writes, and drops the connection where it is over.
  void proceed(std::uint64_t id);
  void handle(std::uint64_t id, const ReadRequest& asked);
  void begin_work(std::uint64_t id, const ReadRequest& asked);
  /// Answers that no instance may be had.
  void throttle(std::uint64_t id, const ReadRequest& asked);
  void finish_work();
  void begin_calls(std::uint64_t job);
  void end_calls(std::uint64_t job, std::uint64_t began_ns, const CallsResult& result);
  void end_work(std::uint64_t job, std::uint64_t now_ns, const CallsResult& result);
  /// Notes how many requests there were until now; before each change of the queue.
  void account(std::uint64_t now_ns);
  std::size_t in_flight() const { return queue_.busy() + queue_.waiting(); }
  Answer answer_to(const Job& job, const CallsResult& result) const;
  std::string tier_fields(const Job& job, const CallsResult& result) const;
  void drop(std::uint64_t id);

  EventLoop& loop_;
  const Clock& clock_;
  ServerConfig config_;
  WorkQueue queue_;
  Gauge gauge_;       ///< of requests in flight
  Gauge busy_gauge_;  ///< of slots
  InstancePool instances_;
  std::unique_ptr<Calls> calls_;  ///< none where requests make none
  std::unique_ptr<Alarm> alarm_;
  std::vector<UniqueFd> listeners_;
  std::unordered_map<std::uint64_t, Connection> connections_;
  std::unordered_map<std::uint64_t, Job> jobs_;
  std::uint64_t next_connection_ = 0;
  std::uint64_t next_job_ = 0;

  struct Figures {
    std::uint64_t accepted = 0;   ///< connections
    std::uint64_t requests = 0;   ///< that asked for work
    std::uint64_t completed = 0;  ///< and got their answer written
    std::uint64_t abandoned = 0;  ///< and whose client was gone when the work was done
    std::uint64_t throttled = 0;  ///< and got no instance
    std::uint64_t errors = 0;     ///< broken requests, and connections that could not be taken
    std::uint64_t work_ns = 0;
    std::size_t waiting_peak = 0;
  } figures_;
};

}  // namespace flare::lab
