#include "backend/calls.h"

#include <utility>

namespace flare::lab {
namespace {

std::string failure_line(const Endpoint& target, const CallAnswer& answer) {
  std::string line = "call to " + target.text() + " failed: ";
  line += to_word(answer.outcome);
  if (answer.outcome == Outcome::kStatus) line += " " + std::to_string(answer.status);
  return line + "\n";
}

}  // namespace

Result<std::unique_ptr<Calls>> Calls::make(EventLoop& loop, const Clock& clock,
                                           CallsConfig config) {
  auto caller = Caller::make(loop, clock, config.caller);
  if (!caller) return caller.error();
  return std::unique_ptr<Calls>(new Calls(std::move(config), *std::move(caller)));
}

void Calls::begin(std::string fields, Ended ended) {
  const std::uint64_t id = next_id_++;
  const std::size_t targets = config_.caller.targets.size();
  groups_.emplace(id, Group{std::move(fields), std::move(ended), targets, {}});
  if (config_.in_sequence) return call(id, 0);
  for (std::size_t target = 0; target < targets; ++target) call(id, target);
}

void Calls::call(std::uint64_t id, std::size_t target) {
  ++made_;
  caller_->call(target, groups_.at(id).fields,
                [this, id, target](const CallAnswer& answer) { on_answer(id, target, answer); });
}

void Calls::on_answer(std::uint64_t id, std::size_t target, const CallAnswer& answer) {
  Group& group = groups_.at(id);
  const bool failed = answer.outcome != Outcome::kOk;
  failed_ += failed ? 1 : 0;
  if (failed) group.result.failures += failure_line(config_.caller.targets[target], answer);
  const bool answered = !failed || answer.outcome == Outcome::kStatus;
  if (answered && target == config_.tier_from) group.result.tier_from = answer.head;
  --group.left;
  if (config_.in_sequence && !failed && group.left > 0) return call(id, target + 1);
  if (!config_.in_sequence && group.left > 0) return;
  const auto over = groups_.extract(id);
  over.mapped().ended(over.mapped().result);
}

}  // namespace flare::lab
