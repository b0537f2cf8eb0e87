// Reading JSON that others wrote: a missing or wrong key is one error that names the file and the
// key.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace flare::lab {

/// A place in a document. Reading what is not there gives an empty value, and the first such
/// problem is kept in the document: the reader reads on and asks `JsonDocument::problem` once, at
/// the end.
class JsonView {
 public:
  JsonView operator[](std::string_view key) const;
  std::vector<JsonView> items() const;  ///< of an array

  bool is_null() const;  ///< null, or not there: no problem
  double number() const;
  std::uint64_t count() const;  ///< a whole number from 0 on
  int whole() const;
  bool flag() const;
  std::string word() const;
  std::optional<double> number_or_null() const;
  std::string word_or(std::string_view otherwise) const;

 private:
  friend class JsonDocument;
  JsonView(const nlohmann::json* at, std::string key, std::string* problem)
      : at_(at), key_(std::move(key)), problem_(problem) {}
  /// Notes the problem where `fits` is false; returns `fits`.
  bool wants(bool fits, std::string_view kind) const;

  const nlohmann::json* at_;  ///< nullptr: not there
  std::string key_;           ///< the way to it, as `samples[3].nodes`
  std::string* problem_;
};

class JsonDocument {
 public:
  static Result<JsonDocument> read(const std::filesystem::path& path);
  /// `path` is what errors name.
  static Result<JsonDocument> parse(std::string_view text, std::string path);

  JsonView root() const;
  const nlohmann::json& json() const { return *json_; }
  /// The first thing that was wrong with what has been read so far.
  std::optional<Error> problem() const;

 private:
  JsonDocument(nlohmann::json json, std::string path);

  std::string path_;
  std::unique_ptr<nlohmann::json> json_;  ///< views stay valid when the document moves
  std::unique_ptr<std::string> problem_;
};

}  // namespace flare::lab
