#include "load/client.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/number.h"
#include "common/socket.h"

namespace flare::lab {

std::optional<ConnectionMode> ConnectionMode::parse(std::string_view text) {
  if (text == "new") return ConnectionMode{};
  const auto equals = text.find('=');
  if (equals == std::string_view::npos) return std::nullopt;
  const auto count = to_number<std::uint32_t>(text.substr(equals + 1));
  if (!count || *count == 0) return std::nullopt;
  if (text.substr(0, equals) == "keep") return ConnectionMode{Kind::kKeep, *count};
  if (text.substr(0, equals) == "pool") return ConnectionMode{Kind::kPool, *count};
  if (text.substr(0, equals) == "warm") return ConnectionMode{Kind::kWarm, *count};
  return std::nullopt;
}

std::string ConnectionMode::text() const {
  switch (kind) {
    case Kind::kNew:
      return "new";
    case Kind::kKeep:
      return "keep=" + std::to_string(count);
    case Kind::kPool:
      return "pool=" + std::to_string(count);
    case Kind::kWarm:
      return "warm=" + std::to_string(count);
  }
  return "";
}

Client::~Client() {
  for (const auto& [id, link] : links_) loop_.forget(link.connection.fd());
}

void Client::send(std::size_t index) {
  const bool warming = config_.mode.kind == ConnectionMode::Kind::kWarm && may_open();
  Link* link = warming ? nullptr : idle_link();
  int failed = 0;
  if (link == nullptr && may_open()) link = open_link(failed);
  if (failed != 0)
    return end(index, failed == ECONNREFUSED ? Outcome::kRefused : Outcome::kNetwork);
  if (link == nullptr) {
    waiting_.push_back(index);
  } else {
    send_on(*link, index);
  }
}

void Client::give_up(std::size_t index) {
  const RequestRecord& record = records_[index];
  if (record.outcome != Outcome::kPending) return;
  const auto link = links_.find(record.connection);
  if (link != links_.end() && link->second.index == index) close(record.connection);
  end(index, Outcome::kTimeout);
  send_waiting();
}

bool Client::is_pool() const {
  return config_.mode.kind == ConnectionMode::Kind::kPool ||
         config_.mode.kind == ConnectionMode::Kind::kWarm;
}

bool Client::may_open() const { return !is_pool() || links_.size() < config_.mode.count; }

Client::Link* Client::idle_link() {
  while (!idle_.empty()) {
    const auto found = links_.find(idle_.back());
    idle_.pop_back();
    if (found != links_.end()) return &found->second;
  }
  return nullptr;
}

Client::Link* Client::open_link(int& failed) {
  const std::uint32_t id = next_id_++;
  const Endpoint& target = config_.targets[id % config_.targets.size()];
  std::optional<Address> source;
  if (!config_.sources.empty()) source = config_.sources[id % config_.sources.size()];
  UniqueFd fd = connect_to(target, source, failed);
  if (!fd) return nullptr;
  const int number = fd.get();
  Link& link = links_.emplace(id, Link{ClientConnection(std::move(fd), id), std::nullopt, false})
                   .first->second;
  auto watched = loop_.watch(number, link.connection.wanted_events(),
                             [this, id](std::uint32_t) { on_events(id); });
  if (watched) return &link;
  links_.erase(id);
  failed = ENOMEM;
  return nullptr;
}

void Client::send_on(Link& link, std::size_t index) {
  RequestRecord& record = records_[index];
  record.connection = link.connection.id();
  record.sent_us = offset_us(record);
  link.index = index;
  link.last = config_.mode.kind == ConnectionMode::Kind::kNew ||
              (config_.mode.kind == ConnectionMode::Kind::kKeep &&
               link.connection.requests() + 1 >= config_.mode.count);
  link.connection.request(request_text(record.number, link.last));
  on_events(link.connection.id());
}

void Client::on_events(std::uint32_t id) {
  Link& link = links_.at(id);
  const auto step = link.connection.progress();
  if (link.index) {
    RequestRecord& record = records_[*link.index];
    if (link.connection.connected() && record.connected_us == kNever) {
      record.connected_us = offset_us(record);
    }
    if (link.connection.got_first_byte() && record.first_byte_us == kNever) {
      record.first_byte_us = offset_us(record);
    }
  }
  if (step == ClientConnection::Step::kAnswered) return on_answer(link);
  if (step == ClientConnection::Step::kFailed) {
    const auto index = link.index;
    const Outcome outcome = link.connection.outcome();
    close(id);
    if (index) end(*index, outcome);
    return send_waiting();
  }
  if (!loop_.rewatch(link.connection.fd(), link.connection.wanted_events())) close(id);
}

void Client::on_answer(Link& link) {
  const std::size_t index = *std::exchange(link.index, std::nullopt);
  RequestRecord& record = records_[index];
  const HttpHead& answer = link.connection.answer();
  record.status = link.connection.status();
  const auto tier = answer.field("X-Flare-Tier").value_or("");
  if (tier == to_word(Tier::kVm)) record.tier = Tier::kVm;
  if (tier == to_word(Tier::kServerless)) record.tier = Tier::kServerless;
  const auto work = answer.field("X-Flare-Work-Us").value_or("");
  record.work_us = to_number<std::uint32_t>(work).value_or(0);
  if (!link.connection.closing()) {
    idle_.push_back(link.connection.id());
  } else if (!link.last || !loop_.rewatch(link.connection.fd(), link.connection.wanted_events())) {
    // A server that was asked to closes first, so that the ports in TIME_WAIT are its own and not
    // ours. One that was not may not know what its answer says: Flare writes it on the way.
    close(link.connection.id());
  }
  end(index, record.status == 200 ? Outcome::kOk : Outcome::kStatus);
  send_waiting();
}

void Client::close(std::uint32_t id) {
  const auto found = links_.find(id);
  if (found == links_.end()) return;
  loop_.forget(found->second.connection.fd());
  links_.erase(found);
}

void Client::end(std::size_t index, Outcome outcome) {
  RequestRecord& record = records_[index];
  record.outcome = outcome;
  if (outcome == Outcome::kOk) record.done_us = offset_us(record);
  ended_(index);
}

void Client::send_waiting() {
  while (!waiting_.empty()) {
    const std::size_t index = waiting_.front();
    if (records_[index].outcome == Outcome::kPending) {
      Link* link = idle_link();
      int failed = 0;
      if (link == nullptr && may_open()) link = open_link(failed);
      if (link == nullptr && failed == 0) return;
      waiting_.pop_front();
      if (link != nullptr) {
        send_on(*link, index);
      } else {
        end(index, Outcome::kNetwork);
      }
    } else {
      waiting_.pop_front();
    }
  }
}

std::uint32_t Client::offset_us(const RequestRecord& record) const {
  const auto now = static_cast<std::int64_t>(clock_.now_ns() - zero_ns_);
  return static_cast<std::uint32_t>(std::max<std::int64_t>(now - record.intended_ns, 0) / 1000);
}

std::string Client::request_text(std::uint32_t number, bool last) const {
  std::string text = "GET " + config_.path + " HTTP/1.1\r\nHost: flare-lab\r\n";
  text += "X-Request-Number: " + std::to_string(number) + "\r\n";
  if (last) text += "Connection: close\r\n";
  return text + "\r\n";
}

}  // namespace flare::lab
