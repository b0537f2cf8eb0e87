#include "report/json_view.h"

#include <fstream>
#include <limits>
#include <sstream>

namespace flare::lab {

JsonView JsonView::operator[](std::string_view key) const {
  const std::string way = key_.empty() ? std::string(key) : key_ + "." + std::string(key);
  if (at_ == nullptr || !at_->is_object()) return {nullptr, way, problem_};
  const auto found = at_->find(key);
  return {found == at_->end() ? nullptr : &*found, way, problem_};
}

std::vector<JsonView> JsonView::items() const {
  std::vector<JsonView> list;
  if (!wants(at_ != nullptr && at_->is_array(), "a list")) return list;
  for (const nlohmann::json& item : *at_) {
    list.push_back({&item, key_ + "[" + std::to_string(list.size()) + "]", problem_});
  }
  return list;
}

bool JsonView::is_null() const { return at_ == nullptr || at_->is_null(); }

double JsonView::number() const {
  return wants(at_ != nullptr && at_->is_number(), "a number") ? at_->get<double>() : 0;
}

std::uint64_t JsonView::count() const {
  const bool fits = at_ != nullptr && at_->is_number() && at_->get<double>() >= 0;
  return wants(fits, "a count") ? at_->get<std::uint64_t>() : 0;
}

int JsonView::whole() const {
  const bool fits = at_ != nullptr && at_->is_number_integer() &&
                    at_->get<std::int64_t>() >= std::numeric_limits<int>::min() &&
                    at_->get<std::int64_t>() <= std::numeric_limits<int>::max();
  return wants(fits, "a whole number") ? at_->get<int>() : 0;
}

bool JsonView::flag() const {
  return wants(at_ != nullptr && at_->is_boolean(), "true or false") && at_->get<bool>();
}

std::string JsonView::word() const {
  return wants(at_ != nullptr && at_->is_string(), "a string") ? at_->get<std::string>() : "";
}

std::optional<double> JsonView::number_or_null() const {
  if (is_null()) return std::nullopt;
  return number();
}

std::string JsonView::word_or(std::string_view otherwise) const {
  return is_null() ? std::string(otherwise) : word();
}

bool JsonView::wants(bool fits, std::string_view kind) const {
  if (!fits && problem_->empty()) {
    *problem_ =
        "key '" + key_ + "' " + (at_ == nullptr ? "is missing" : "is not " + std::string(kind));
  }
  return fits;
}

JsonDocument::JsonDocument(nlohmann::json json, std::string path)
    : path_(std::move(path)),
      json_(std::make_unique<nlohmann::json>(std::move(json))),
      problem_(std::make_unique<std::string>()) {}

Result<JsonDocument> JsonDocument::read(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) return Error("cannot read " + path.string());
  std::ostringstream text;
  text << file.rdbuf();
  return parse(text.str(), path.string());
}

Result<JsonDocument> JsonDocument::parse(std::string_view text, std::string path) {
  nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded()) return Error(path + " is not JSON");
  return JsonDocument(std::move(json), std::move(path));
}

JsonView JsonDocument::root() const { return {json_.get(), "", problem_.get()}; }

std::optional<Error> JsonDocument::problem() const {
  if (problem_->empty()) return std::nullopt;
  return Error(path_ + ": " + *problem_);
}

}  // namespace flare::lab
