#include "discovery/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <cstddef>
#include <sstream>
#include <utility>

namespace flare {
namespace {

constexpr std::size_t kDepthMax = 16;
constexpr std::size_t kNodesMax = 1'000'000;

Place place_of(const YAML::Mark& mark) { return {mark.line + 1, mark.column + 1}; }

/// Thrown through yaml-cpp, which offers no other way to stop it, and caught in parse_yaml().
struct Refused {
  Place place;
  std::string what;
};

/// Builds the tree from yaml-cpp's events.
class TreeBuilder final : public YAML::EventHandler {
 public:
  YamlNode take_root() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw Refused{place_of(mark), "found an alias (*name); accepted: plain YAML without aliases"};
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(node(YamlNode::Kind::kNull, mark, anchor), false);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    if (tag != "?" && tag != "!" && !tag.empty()) refuse_tag(mark);
    YamlNode scalar = node(YamlNode::Kind::kScalar, mark, anchor);
    scalar.text = value;
    scalar.quoted = tag == "!";
    add(std::move(scalar), false);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    if (tag != "?" && !tag.empty()) refuse_tag(mark);
    add(node(YamlNode::Kind::kSequence, mark, anchor), true);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    if (tag != "?" && !tag.empty()) refuse_tag(mark);
    add(node(YamlNode::Kind::kMap, mark, anchor), true);
  }
  void OnMapEnd() override { close(); }

 private:
  static void refuse_tag(const YAML::Mark& mark) {
    throw Refused{place_of(mark), "found a tag (!name); accepted: plain YAML without tags"};
  }

  YamlNode node(YamlNode::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != 0) {
      throw Refused{place_of(mark),
                    "found an anchor (&name); accepted: plain YAML without anchors"};
    }
    if (++nodes_ > kNodesMax) {
      throw Refused{place_of(mark),
                    "found more than " + std::to_string(kNodesMax) + " values; accepted: fewer"};
    }
    YamlNode made;
    made.kind = kind;
    made.place = place_of(mark);
    return made;
  }

  void add(YamlNode node, bool opens) {
    if (opens && open_.size() == kDepthMax) {
      throw Refused{node.place, "found nesting deeper than " + std::to_string(kDepthMax) +
                                    " levels; accepted: less"};
    }
    if (opens) {
      open_.push_back(std::move(node));
    } else {
      attach(std::move(node));
    }
  }

  void close() {
    YamlNode done = std::move(open_.back());
    open_.pop_back();
    attach(std::move(done));
  }

  /// Hands a finished node to the one that is open around it.
  void attach(YamlNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    YamlNode& parent = open_.back();
    if (parent.kind == YamlNode::Kind::kSequence) {
      parent.items.push_back(std::move(node));
      return;
    }
    // Keys and values of a map come in turn; items hold the key whose value is yet to come.
    if (parent.items.empty()) {
      parent.items.push_back(std::move(node));
      return;
    }
    parent.entries.push_back({std::move(parent.items.back()), std::move(node)});
    parent.items.clear();
  }

  std::vector<YamlNode> open_;
  YamlNode root_;
  std::size_t nodes_ = 0;
};

/// Length of the UTF-8 sequence at the start of `text`; 0 where there is none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool overlong = (lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xf0 && byte(1) < 0x90);
  const bool outside = (lead == 0xed && byte(1) > 0x9f) || (lead == 0xf4 && byte(1) > 0x8f);
  return overlong || outside ? 0 : length;
}

bool is_text(std::string_view text, Problems& problems) {
  Place place{1, 1};
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const char first = text.front();
    const bool control =
        static_cast<unsigned char>(first) < 0x20 && first != '\n' && first != '\t' && first != '\r';
    if (length == 0 || control) {
      problems.refuse(place, "", "the byte " + std::to_string(static_cast<unsigned char>(first)),
                      "text in UTF-8 without control characters");
      return false;
    }
    place = first == '\n' ? Place{place.line + 1, 1} : Place{place.line, place.column + 1};
    text.remove_prefix(length);
  }
  return true;
}

/// A hint for the mistake that everybody makes once.
std::string hint_for(std::string_view text, int line) {
  for (int i = 1; i < line && !text.empty(); ++i) text.remove_prefix(text.find('\n') + 1);
  const std::string_view wrong = text.substr(0, text.find('\n'));
  if (wrong.find("]:") == std::string_view::npos) return "";
  return "; an IPv6 endpoint needs quotes: \"[2001:db8::1]:80\"";
}

}  // namespace

std::string describe(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      return "nothing";
    case YamlNode::Kind::kSequence:
      return "a list";
    case YamlNode::Kind::kMap:
      return "a map";
    case YamlNode::Kind::kScalar:
      break;
  }
  return node.quoted ? "the text " + in_quotes(node.text) : in_quotes(node.text);
}

std::optional<YamlNode> parse_yaml(std::string_view text, Problems& problems) {
  if (!is_text(text, problems)) return std::nullopt;
  std::istringstream stream{std::string(text)};
  TreeBuilder builder;
  try {
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(builder)) {
      problems.refuse({}, "", "an empty configuration",
                      "a map with the sections interfaces and services");
      return std::nullopt;
    }
    YamlNode root = builder.take_root();
    if (parser.HandleNextDocument(builder)) {
      problems.refuse(builder.take_root().place, "", "a second document (---)", "one document");
      return std::nullopt;
    }
    return root;
  } catch (const Refused& refused) {
    problems.add(refused.place, "", refused.what);
  } catch (const YAML::ParserException& error) {
    const Place place = error.mark.is_null() ? Place{} : place_of(error.mark);
    problems.add(place, "", "not YAML: " + error.msg + hint_for(text, place.line));
  } catch (const YAML::Exception& error) {
    problems.add({}, "", "not YAML: " + error.msg);
  }
  return std::nullopt;
}

}  // namespace flare
