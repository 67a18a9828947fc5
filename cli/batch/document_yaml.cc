#include <absl/strings/escaping.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/parser.h>
#include <yaml-cpp/yaml.h>

#include <initializer_list>
#include <map>
#include <sstream>
#include <string_view>

#include "cli/batch/document.h"
#include "cli/view/file_line.h"

namespace jobd::cli {

namespace {

using base::Code;
using base::Error;
using base::Result;

struct Refusal {  // leaves yaml-cpp's parser from within; caught in ParseYaml
  int line;
  std::string what;
};

// Builds the tree from events instead of yaml-cpp's own document, so that depth and size are bounded before they cost anything.
class Builder final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { Add(Make(Node::Kind::kNull, mark), anchor); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw Refusal{Line(mark), "the alias refers to something that is not complete"};
    Count(found->second.size, mark);
    Node copy = found->second.node;
    Add(std::move(copy), 0);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& value) override {
    CheckTag(tag, {"str", "int", "float", "bool", "null", "binary"}, mark);
    Node node = Make(Node::Kind::kScalar, mark);
    node.scalar = tag == kStandardTag + "binary" ? Decoded(value, mark) : value;
    // "!" is a quoted one, "?" a plain one.
    node.is_text = tag == "!" || tag == kStandardTag + "str" || tag == kStandardTag + "binary";
    Add(std::move(node), anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    CheckTag(tag, {"seq"}, mark);
    Open(Node::Kind::kList, mark, anchor);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    CheckTag(tag, {"map"}, mark);
    Open(Node::Kind::kMap, mark, anchor);
  }
  void OnMapEnd() override { Close(); }

  Node root;

 private:
  struct Frame {
    Node node;
    YAML::anchor_t anchor = 0;
    size_t nodes_before = 0;
    bool has_key = false;
    bool key_merges = false;
    std::string key;
    std::vector<Node> merged;  // what << names
    KeySet keys;
  };
  struct Anchored {
    Node node;
    size_t size = 0;
  };

  static inline const std::string kStandardTag = "tag:yaml.org,2002:";

  // A tag says what a value is; one that is not understood may change its meaning.
  static void CheckTag(const std::string& tag, std::initializer_list<std::string_view> known, const YAML::Mark& mark) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    for (const std::string_view name : known) {
      if (tag == kStandardTag + std::string(name)) return;
    }
    const bool standard = tag.starts_with(kStandardTag);
    throw Refusal{Line(mark), "the tag " + (standard ? "!!" + tag.substr(kStandardTag.size()) : tag) + " is not known here"};
  }
  static std::string Decoded(const std::string& text, const YAML::Mark& mark) {
    std::string decoded;
    if (!absl::Base64Unescape(text, &decoded)) throw Refusal{Line(mark), "!!binary: is not base64"};
    return decoded;
  }
  static int Line(const YAML::Mark& mark) { return mark.line + 1; }
  static Node Make(Node::Kind kind, const YAML::Mark& mark) {
    Node node;
    node.kind = kind;
    node.line = Line(mark);
    return node;
  }
  void Count(size_t nodes, const YAML::Mark& mark) {
    nodes_ += nodes;
    if (nodes_ > kMaxNodes) throw Refusal{Line(mark), "too many values"};
  }
  void Open(Node::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (open_.size() >= static_cast<size_t>(kMaxDepth)) throw Refusal{Line(mark), "nested too deeply"};
    Frame frame;
    frame.node = Make(kind, mark);
    frame.anchor = anchor;
    frame.nodes_before = nodes_;
    open_.push_back(std::move(frame));
  }
  void Close() {
    Frame frame = std::move(open_.back());
    open_.pop_back();
    Merge(frame);
    Attach(std::move(frame.node), frame.anchor, nodes_ - frame.nodes_before + 1);
  }
  // Adds what the maps behind << have and the map itself has not; of several the first counts.
  void Merge(Frame& frame) {
    for (Node& map : frame.merged) {
      for (Entry& entry : map.entries) {
        if (!frame.keys.Add(frame.node, entry.key)) continue;
        if (frame.node.entries.size() >= kMaxKeys) throw Refusal{frame.node.line, "too many keys"};
        frame.node.entries.push_back(std::move(entry));
      }
    }
  }
  static std::vector<Node> MapsToMerge(Node node) {
    std::vector<Node> maps;
    const int line = node.line;
    if (node.kind == Node::Kind::kMap) {
      maps.push_back(std::move(node));
    } else if (node.kind == Node::Kind::kList) {
      maps = std::move(node.items);
    }
    for (const Node& map : maps) {
      if (map.kind != Node::Kind::kMap) maps.clear();
      if (maps.empty()) break;
    }
    if (maps.empty()) throw Refusal{line, "<< must be followed by a map, or a list of maps"};
    return maps;
  }
  void Add(Node node, YAML::anchor_t anchor) { Attach(std::move(node), anchor, 1); }

  void Attach(Node node, YAML::anchor_t anchor, size_t size) {
    if (++nodes_ > kMaxNodes) throw Refusal{node.line, "too many values"};
    if (anchor != 0) anchors_[anchor] = {node, size};
    if (open_.empty()) {
      root = std::move(node);
      return;
    }
    Frame& parent = open_.back();
    if (parent.node.kind == Node::Kind::kList) {
      parent.node.items.push_back(std::move(node));
    } else if (!parent.has_key) {
      if (node.kind != Node::Kind::kScalar) throw Refusal{node.line, "a key must be a word"};
      if (!parent.keys.Add(parent.node, node.scalar)) throw Refusal{node.line, "the key '" + node.scalar + "' is there twice"};
      if (parent.node.entries.size() >= kMaxKeys) throw Refusal{node.line, "too many keys"};
      parent.key_merges = !node.is_text && node.scalar == "<<";
      parent.key = std::move(node.scalar);
      parent.has_key = true;
    } else if (parent.key_merges) {
      for (Node& map : MapsToMerge(std::move(node))) parent.merged.push_back(std::move(map));
      parent.has_key = false;
    } else {
      parent.node.entries.push_back({std::move(parent.key), std::move(node)});
      parent.has_key = false;
    }
  }

  size_t nodes_ = 0;
  std::vector<Frame> open_;
  std::map<YAML::anchor_t, Anchored> anchors_;
};

// Whether a line, counted from 0, begins with blanks among which there is a tab: the parser's own words for it name anything else.
bool IsIndentedWithTab(const std::string& text, int line) {
  size_t begin = 0;
  for (; line > 0 && begin != std::string::npos; --line) begin = text.find('\n', begin) + (begin == std::string::npos ? 0 : 1);
  const size_t end = text.find_first_not_of(" \t", begin);
  return text.substr(begin, end - begin).find('\t') != std::string::npos;
}

}  // namespace

Result<Node> ParseYaml(const std::string& text, const std::string& file) {
  std::istringstream stream(text);
  Builder builder;
  try {
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(builder)) return AtLine(file, 1, "there is nothing in it");
    Builder next;
    if (parser.HandleNextDocument(next) && next.root.kind != Node::Kind::kNull) {
      return AtLine(file, next.root.line, "a second document begins here; a batch file holds one");
    }
  } catch (const Refusal& refusal) {
    return AtLine(file, refusal.line, refusal.what);
  } catch (const YAML::Exception& error) {
    const bool tab = IsIndentedWithTab(text, error.mark.line);
    return AtLine(file, error.mark.line + 1, "not YAML: " + (tab ? "a tab; YAML is indented with blanks alone" : error.msg));
  } catch (const std::exception& error) {
    return Error(Code::kInvalidArgument, file + ": not YAML: " + error.what());
  }
  return std::move(builder.root);
}

}  // namespace jobd::cli
