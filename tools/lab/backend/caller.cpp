#include "backend/caller.h"

#include <cerrno>
#include <utility>

#include "common/socket.h"

namespace flare::lab {

Result<std::unique_ptr<Caller>> Caller::make(EventLoop& loop, const Clock& clock,
                                             CallerConfig config) {
  std::unique_ptr<Caller> caller(new Caller(loop, clock, std::move(config)));
  auto alarm = Alarm::make(loop, [raw = caller.get()] { raw->give_up_due(); });
  if (!alarm) return alarm.error();
  caller->alarm_ = *std::move(alarm);
  return caller;
}

Caller::~Caller() {
  for (const auto& [id, link] : links_) loop_.forget(link.connection.fd());
}

void Caller::call(std::size_t target, const std::string& fields, Ended ended) {
  int failed = 0;
  Link* link = idle_link(target);
  if (link == nullptr) link = open_link(target, failed);
  if (link == nullptr) {
    return ended({failed == ECONNREFUSED ? Outcome::kRefused : Outcome::kNetwork, 0, {}});
  }
  std::string text = "GET / HTTP/1.1\r\nHost: " + config_.targets[target].text() + "\r\n" + fields;
  text += config_.reuse ? "\r\n" : "Connection: close\r\n\r\n";
  link->ended = std::move(ended);
  link->connection.request(std::move(text));
  const std::uint32_t id = link->connection.id();
  deadlines_.push_back({clock_.now_ns() + config_.timeout_ns, id, link->connection.requests()});
  if (!std::exchange(alarm_set_, true)) alarm_->set(deadlines_.front().at_ns);
  proceed(id);
}

Caller::Link* Caller::idle_link(std::size_t target) {
  std::vector<std::uint32_t>& idle = idle_[target];
  while (!idle.empty()) {
    const auto found = links_.find(idle.back());
    idle.pop_back();
    if (found != links_.end()) return &found->second;
  }
  return nullptr;
}

Caller::Link* Caller::open_link(std::size_t target, int& failed) {
  UniqueFd fd = connect_to(config_.targets[target], std::nullopt, failed);
  if (!fd) return nullptr;
  const std::uint32_t id = next_id_++;
  return &links_.emplace(id, Link{ClientConnection(std::move(fd), id), target, {}}).first->second;
}

void Caller::proceed(std::uint32_t id) {
  Link& link = links_.at(id);
  const auto step = link.connection.progress();
  if (step == ClientConnection::Step::kFailed) return fail(id, link.connection.outcome());
  if (!watch(link)) return fail(id, Outcome::kNetwork);
  if (step == ClientConnection::Step::kAnswered) on_answer(link);
}

bool Caller::watch(Link& link) {
  const std::uint32_t events = link.connection.wanted_events();
  const std::uint32_t watched = std::exchange(link.events, events);
  if (watched == events) return true;
  const int fd = link.connection.fd();
  if (watched != 0) return loop_.rewatch(fd, events).has_value();
  const std::uint32_t id = link.connection.id();
  return loop_.watch(fd, events, [this, id](std::uint32_t) { proceed(id); }).has_value();
}

void Caller::on_answer(Link& link) {
  const Ended ended = std::exchange(link.ended, {});
  const std::uint16_t status = link.connection.status();
  const CallAnswer answer{status == 200 ? Outcome::kOk : Outcome::kStatus, status,
                          link.connection.answer()};
  // One that closes is left to the server, which was asked to close first, so that the ports in
  // TIME_WAIT are its own and not ours. The deadline takes those that it does not close.
  if (!link.connection.closing()) idle_[link.target].push_back(link.connection.id());
  ended(answer);
}

void Caller::fail(std::uint32_t id, Outcome outcome) {
  const auto found = links_.find(id);
  const Ended ended = std::move(found->second.ended);
  loop_.forget(found->second.connection.fd());
  links_.erase(found);
  if (ended) ended({outcome, 0, {}});
}

void Caller::give_up_due() {
  while (!deadlines_.empty()) {
    const Deadline first = deadlines_.front();
    const bool over = is_over(first);
    if (!over && first.at_ns > clock_.now_ns()) break;
    deadlines_.pop_front();
    if (!over) fail(first.link, Outcome::kTimeout);
  }
  alarm_set_ = !deadlines_.empty();
  if (alarm_set_) alarm_->set(deadlines_.front().at_ns);
}

bool Caller::is_over(const Deadline& deadline) const {
  const auto found = links_.find(deadline.link);
  if (found == links_.end()) return true;
  const Link& link = found->second;
  if (link.connection.requests() != deadline.request) return true;
  return !link.ended && !link.connection.closing();
}

}  // namespace flare::lab
