#include "backend/server.h"

#include <sys/epoll.h>

#include <algorithm>
#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>
#include <ostream>
#include <utility>

#include "common/socket.h"

namespace flare::lab {
namespace {

std::string hexadecimal(std::uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof(text), "%016" PRIx64, value);
  return text;
}

/// What a request passes on to the services that it calls.
std::string call_fields(std::uint64_t number, double work) {
  std::string fields = "X-Request-Number: " + std::to_string(number) + "\r\n";
  if (work == 1) return fields;
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), work).ptr;
  return fields + "X-Work: " + std::string(text, end) + "\r\n";
}

/// The time as HTTP writes it: "Thu, 26 Nov 2026 02:46:08 GMT".
std::string http_date(std::time_t now) {
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[30];
  std::strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return text;
}

Answer json_answer(const nlohmann::json& value) {
  return {200, "Content-Type: application/json\r\n", value.dump() + "\n", std::nullopt};
}

}  // namespace

Server::Server(EventLoop& loop, const Clock& clock, ServerConfig config)
    : loop_(loop),
      clock_(clock),
      config_(std::move(config)),
      queue_(config_.slots),
      gauge_(clock.now_ns()),
      busy_gauge_(clock.now_ns()),
      instances_(config_.instances, clock.now_ns()) {}

Server::~Server() {
  for (const auto& [id, connection] : connections_) loop_.forget(connection.fd());
  for (const auto& listener : listeners_) loop_.forget(listener.get());
}

Result<std::unique_ptr<Server>> Server::start(EventLoop& loop, const Clock& clock,
                                              ServerConfig config) {
  std::unique_ptr<Server> server(new Server(loop, clock, std::move(config)));
  auto alarm = Alarm::make(loop, [raw = server.get()] { raw->finish_work(); });
  if (!alarm) return alarm.error();
  server->alarm_ = *std::move(alarm);
  if (!server->config_.calls.caller.targets.empty()) {
    auto calls = Calls::make(loop, clock, server->config_.calls);
    if (!calls) return calls.error();
    server->calls_ = *std::move(calls);
  }
  auto listening = server->listen();
  if (!listening) return listening.error();
  return server;
}

Result<void> Server::listen() {
  for (const Endpoint& endpoint : config_.listen) {
    auto listener = listen_on(endpoint);
    if (!listener) return listener.error();
    const int fd = listener->get();
    listeners_.push_back(*std::move(listener));
    auto watched = loop_.watch(fd, EPOLLIN, [this, fd](std::uint32_t) { accept_all(fd); });
    if (!watched) return watched.error();
  }
  return {};
}

std::uint16_t Server::port() const { return port_of(listeners_.front().get()); }

void Server::accept_all(int listener) {
  for (;;) {
    auto accepted = accept_from(listener);
    if (!accepted) ++figures_.errors;
    if (!accepted || !*accepted) return;
    ++figures_.accepted;
    const std::uint64_t id = next_connection_++;
    const int fd = (*accepted)->get();
    connections_.emplace(id, Connection(**std::move(accepted)));
    auto watched =
        loop_.watch(fd, EPOLLIN, [this, id](std::uint32_t events) { on_connection(id, events); });
    if (!watched) {
      ++figures_.errors;
      connections_.erase(id);
    }
  }
}

void Server::on_connection(std::uint64_t id, std::uint32_t events) {
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) return drop(id);
  if ((events & EPOLLIN) != 0 && !connections_.at(id).receive()) return drop(id);
  proceed(id);
}

void Server::proceed(std::uint64_t id) {
  Connection& connection = connections_.at(id);
  for (;;) {
    auto asked = connection.next_request();
    if (!asked) {
      ++figures_.errors;
      connection.answer({400, "", asked.error().message() + "\n", std::nullopt}, true);
      break;
    }
    if (!*asked) break;
    handle(id, **asked);
  }
  const bool open = connection.send();
  const auto begun = connection.take_begun();
  if (begun && config_.log) *config_.log << (clock_.now_ns() - *begun) / 1000 << '\n';
  if (!open) return drop(id);
  const auto events = connection.changed_events();
  if (events && !loop_.rewatch(connection.fd(), *events)) drop(id);
}

void Server::handle(std::uint64_t id, const ReadRequest& asked) {
  Connection& connection = connections_.at(id);
  switch (asked.request.kind) {
    case BackendRequest::Kind::kStats:
      return connection.answer(json_answer(stats()), asked.request.closes);
    case BackendRequest::Kind::kControl:
      config_.slow = *asked.request.slow;
      return connection.answer(json_answer({{"slow", config_.slow}}), asked.request.closes);
    case BackendRequest::Kind::kWork:
      return begin_work(id, asked);
  }
}

void Server::account(std::uint64_t now_ns) {
  gauge_.held(in_flight(), now_ns);
  busy_gauge_.held(queue_.busy(), now_ns);
}

void Server::begin_work(std::uint64_t id, const ReadRequest& asked) {
  const std::uint64_t now = clock_.now_ns();
  const std::uint64_t number = asked.request.number.value_or(figures_.requests);
  const double scale = asked.request.work * config_.slow;
  const auto work =
      static_cast<std::uint64_t>(static_cast<double>(config_.times.of(number)) * scale);
  ++figures_.requests;
  const auto start = instances_.take(now, number);
  if (!start) return throttle(id, asked);
  const std::uint64_t job = next_job_++;
  figures_.work_ns += work;
  jobs_.emplace(job, Job{id, number, work, *start > 0, now, asked});
  account(now);
  queue_.add(job, *start + work, now, calls_ ? WorkQueue::After::kHold : WorkQueue::After::kFree);
  figures_.waiting_peak = std::max(figures_.waiting_peak, queue_.waiting());
  alarm_->set(queue_.next_done_ns());
}

void Server::throttle(std::uint64_t id, const ReadRequest& asked) {
  ++figures_.throttled;
  Answer answer{429, "X-Flare-Tier: " + config_.tier + "\r\n",
                "no instance is idle, and no more may start yet\n", std::nullopt};
  connections_.at(id).answer(answer, asked.request.closes);
}

void Server::finish_work() {
  const std::uint64_t now = clock_.now_ns();
  account(now);
  while (const auto done = queue_.take_done(now)) {
    if (calls_) {
      begin_calls(*done);
    } else {
      end_work(*done, now, {});
    }
  }
  alarm_->set(queue_.next_done_ns());
}

void Server::begin_calls(std::uint64_t job) {
  const Job& waiting = jobs_.at(job);
  const std::uint64_t began_ns = clock_.now_ns();
  calls_->begin(
      call_fields(waiting.number, waiting.asked.request.work),
      [this, job, began_ns](const CallsResult& result) { end_calls(job, began_ns, result); });
}

void Server::end_calls(std::uint64_t job, std::uint64_t began_ns, const CallsResult& result) {
  const std::uint64_t now = clock_.now_ns();
  jobs_.at(job).work_ns += now - began_ns;
  account(now);
  queue_.release(now);
  end_work(job, now, result);
  alarm_->set(queue_.next_done_ns());
}

void Server::end_work(std::uint64_t id, std::uint64_t now_ns, const CallsResult& result) {
  const Job job = jobs_.extract(id).mapped();
  instances_.give_back(now_ns);
  const auto connection = connections_.find(job.connection);
  if (connection == connections_.end()) {
    ++figures_.abandoned;
    return;
  }
  ++figures_.completed;
  connection->second.answer(answer_to(job, result), job.asked.request.closes, job.asked_ns);
  proceed(job.connection);
}

Answer Server::answer_to(const Job& job, const CallsResult& result) const {
  Answer answer;
  answer.fields = "Date: " + http_date(std::time(nullptr)) + "\r\n" + tier_fields(job, result);
  if (!result.failures.empty()) {
    answer.status = 502;
    answer.body = result.failures;
    return answer;
  }
  if (job.asked.request.echo_body) {
    answer.body = nlohmann::json{{"bytes", job.asked.body_bytes},
                                 {"checksum", hexadecimal(job.asked.body_checksum)}}
                      .dump();
  } else {
    answer.made_bytes = job.asked.request.body_bytes.value_or(config_.body_bytes);
  }
  return answer;
}

std::string Server::tier_fields(const Job& job, const CallsResult& result) const {
  if (!calls_ || !calls_->passes_tier_on()) {
    return "X-Flare-Tier: " + config_.tier + "\r\nX-Flare-Start: " + (job.cold ? "cold" : "warm") +
           "\r\nX-Flare-Work-Us: " + std::to_string(job.work_ns / 1000) + "\r\n";
  }
  std::string fields;
  for (const std::string name : {"X-Flare-Tier", "X-Flare-Start", "X-Flare-Work-Us"}) {
    const auto value = result.tier_from ? result.tier_from->field(name) : std::nullopt;
    if (value) fields += name + ": " + std::string(*value) + "\r\n";
  }
  return fields;
}

void Server::drop(std::uint64_t id) {
  const auto found = connections_.find(id);
  loop_.forget(found->second.fd());
  connections_.erase(found);
}

nlohmann::json Server::stats() const {
  const std::uint64_t now = clock_.now_ns();
  return {{"tier", config_.tier},
          {"slots", config_.slots},
          {"slow", config_.slow},
          {"busy", queue_.busy()},
          {"waiting", queue_.waiting()},
          {"waiting_peak", figures_.waiting_peak},
          {"connections", connections_.size()},
          {"accepted", figures_.accepted},
          {"requests", figures_.requests},
          {"completed", figures_.completed},
          {"abandoned", figures_.abandoned},
          {"throttled", figures_.throttled},
          {"errors", figures_.errors},
          {"calls", calls_ ? calls_->made() : 0},
          {"calls_failed", calls_ ? calls_->failed() : 0},
          {"work_ms", static_cast<double>(figures_.work_ns) / 1e6},
          {"in_flight_ns", gauge_.total_ns(in_flight(), now)},
          {"busy_ns", busy_gauge_.total_ns(queue_.busy(), now)},
          {"now_ns", now},
          {"cold_starts", instances_.cold_starts()},
          {"idle_instances", instances_.idle()}};
}

}  // namespace flare::lab
