#include "eval/report/cell.h"

#include <algorithm>
#include <vector>

namespace flare::eval {
namespace {

constexpr Policy kPolicies[] = {
    {"vm-only", "VM-only", "no spilling: the autoscaler alone", "var(--vm-only)", ""},
    {"over-provisioned", "Over-provisioned", "16 pods from the start instead of 8, no spilling",
     "var(--over-provisioned)", "2 3"},
    {"serverless-only", "Serverless-only", "every request goes to functions",
     "var(--serverless-only)", "9 3"},
    {"l7-lag", "L7 formula, 5 s lag",
     "the paper's way: HAProxy, the formula once a second, measurements 5 s old", "var(--l7-lag)",
     "12 4"},
    {"l7", "L7 formula", "HAProxy, the formula once a second, without lag", "var(--l7)", "7 3 2 3"},
    {"formula", "L4 formula", "our datapath, the formula once a second", "var(--formula)", "4 3"},
    {"cap", "Cap (ours)", "our datapath, in-flight cap and learned bucket", "var(--cap)", ""},
};

constexpr std::string_view kProfiles[] = {"bookinfo", "online_boutique", "hotel_reservation"};

/// A word of a cell's name: in few words, and in a sentence's. The order is that of showing.
struct Meaning {
  std::string_view word;
  std::string_view title;
  std::string_view sentence;
};

constexpr Meaning kMeanings[] = {
    {"bookinfo", "BookInfo", "BookInfo"},
    {"online_boutique", "Online Boutique", "Online Boutique"},
    {"hotel_reservation", "Hotel Reservation", "Hotel Reservation"},
    {"spike", "spike", "the trace's spike"},
    {"steady", "steady load", "a steady load of 0.8 of capacity, without a spike"},
    {"believed-20-high", "spike, capacity believed 20 % too high",
     "the trace's spike, with controllers that are told 1.2 times the true capacity"},
    {"slow-vms", "slow VMs",
     "the calm load, while all VMs become twice as slow (the dotted line is when)"},
    {"users", "closed loop",
     "users, each of whom waits for an answer before asking again (Locust's, the paper's client)"},
    {"open", "open loop", "arrivals that wait for nothing"},
    {"new", "new connections", "a new connection for each request"},
    {"warm", "warm functions", "functions that are warm"},
    {"cold", "cold functions", "functions that start cold"},
};

const Meaning* find(std::string_view word) {
  const auto* found = std::ranges::find(kMeanings, word, &Meaning::word);
  return found == std::end(kMeanings) ? nullptr : found;
}

std::size_t rank_of_word(std::string_view word) {
  return static_cast<std::size_t>(std::ranges::find(kMeanings, word, &Meaning::word) - kMeanings);
}

std::string connections_of(const Cell& cell, bool sentence) {
  if (!cell.connections.starts_with("pool=")) {
    const Meaning* meaning = find(cell.connections);
    if (meaning == nullptr) return cell.connections;
    return std::string(sentence ? meaning->sentence : meaning->title);
  }
  const std::string count = cell.connections.substr(5);
  return sentence ? "a pool of " + count + " connections that stay open" : "pool of " + count;
}

}  // namespace

std::string Cell::group() const {
  return profile + "." + scenario + "." + clients + "." + connections + "." + functions;
}

std::string Cell::name() const { return group() + "." + policy; }

Cell Cell::with_policy(std::string_view other) const {
  Cell cell = *this;
  cell.policy = other;
  return cell;
}

std::optional<Cell> parse_cell(std::string_view name) {
  std::vector<std::string> words(1);
  for (const char letter : name) {
    if (letter == '.') {
      words.emplace_back();
    } else {
      words.back() += letter;
    }
  }
  if (words.size() != 6 || std::ranges::any_of(words, &std::string::empty)) return std::nullopt;
  return Cell{words[0], words[1], words[2], words[3], words[4], words[5]};
}

std::span<const Policy> policies() { return kPolicies; }

Policy policy_of(std::string_view name) {
  const auto* found = std::ranges::find(kPolicies, name, &Policy::name);
  if (found != std::end(kPolicies)) return *found;
  return {name, name, "", "var(--ink)", ""};
}

std::span<const std::string_view> profiles() { return kProfiles; }

std::array<std::size_t, 6> rank_of(const Cell& cell) {
  const auto policy = std::ranges::find(kPolicies, cell.policy, &Policy::name) - kPolicies;
  return {rank_of_word(cell.profile),   rank_of_word(cell.scenario),
          rank_of_word(cell.clients),   rank_of_word(cell.connections),
          rank_of_word(cell.functions), static_cast<std::size_t>(policy)};
}

std::string_view meaning_of(std::string_view word) {
  const Meaning* meaning = find(word);
  return meaning == nullptr ? word : meaning->title;
}

std::string title_of(const Cell& cell) {
  return std::string(meaning_of(cell.profile)) + ": " + std::string(meaning_of(cell.scenario)) +
         ", " + std::string(meaning_of(cell.clients)) + ", " + connections_of(cell, false) + ", " +
         std::string(meaning_of(cell.functions));
}

std::string sentence_of(const Cell& cell) {
  const auto words = [](std::string_view word) {
    const Meaning* meaning = find(word);
    return std::string(meaning == nullptr ? word : meaning->sentence);
  };
  return words(cell.profile) + " under " + words(cell.scenario) + ": " + words(cell.clients) +
         "; " + connections_of(cell, true) + "; " + words(cell.functions) + ".";
}

}  // namespace flare::eval
