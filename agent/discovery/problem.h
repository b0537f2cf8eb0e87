// What is wrong with a configuration, and where.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace flare {

/// A place in the file, counted from 1; 0 is the file as a whole.
struct Place {
  int line = 0;
  int column = 0;
};

struct Problem {
  Place place;
  std::string key;   ///< `services[1].serverless[0].weight`; empty: the file as a whole
  std::string what;  ///< what was found and what is accepted
};

/// `file:line:column: key: what`.
std::string to_text(const Problem& problem, std::string_view file);

/// Collects problems, so that one run shows them all.
class Problems {
 public:
  void add(Place place, std::string_view key, std::string_view what);
  /// The usual sentence: `found X; accepted: Y`.
  void refuse(Place place, std::string_view key, std::string_view found, std::string_view accepted);

  bool empty() const { return list_.empty(); }
  /// In the order of the file.
  std::vector<Problem> take();

 private:
  std::vector<Problem> list_;
};

/// `text` in quotes, shortened and without control characters: fit to be printed.
std::string in_quotes(std::string_view text);

/// The word of `known` nearest to `word`, or an empty view where none is near.
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& known);

/// `a, b, c`.
std::string joined(const std::vector<std::string_view>& words);

}  // namespace flare
