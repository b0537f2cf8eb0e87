// The name of a cell of the matrix: what was run, in six words.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace flare::eval {

/// `<profile>.<scenario>.<clients>.<connections>.<functions>.<policy>`
struct Cell {
  std::string profile;
  std::string scenario;
  std::string clients;
  std::string connections;
  std::string functions;
  std::string policy;

  std::string name() const;
  /// The name without the policy: what the cells of one section have in common.
  std::string group() const;
  Cell with_policy(std::string_view other) const;
  bool operator==(const Cell&) const = default;
};

/// Nothing where the name has not six words.
std::optional<Cell> parse_cell(std::string_view name);

/// A policy in words, and how its lines look: the colour is a variable of the page's style.
struct Policy {
  std::string_view name;
  std::string_view label;
  std::string_view meaning;
  std::string_view colour;
  std::string_view dash;
};

/// In the order in which they are shown.
std::span<const Policy> policies();
/// Of a name that is not in the list: that name, in ink.
Policy policy_of(std::string_view name);

std::span<const std::string_view> profiles();

/// The order in which cells are shown: the paper's profiles and scenario first, policies last.
/// Words that are not known come after those that are.
std::array<std::size_t, 6> rank_of(const Cell& cell);

/// A scenario, a kind of client, of connections, of functions: what the word stands for.
std::string_view meaning_of(std::string_view word);
/// A group in few words, and in a sentence's.
std::string title_of(const Cell& cell);
std::string sentence_of(const Cell& cell);

}  // namespace flare::eval
