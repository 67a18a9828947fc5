#include "config/toml_text.h"

#include <cstdio>

#include "base/text.h"

namespace jobd::config {

base::Error ErrorAt(const std::string& file, const toml::node& node, const std::string& problem) {
  return {base::Code::kInvalidArgument, file + ":" + std::to_string(node.source().begin.line) + ": " + problem};
}

base::Result<toml::table> ParseToml(const std::string& file, std::string_view text) {
  toml::parse_result parsed = toml::parse(text, file);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return base::Error(base::Code::kInvalidArgument, file + ":" + std::to_string(error.source().begin.line) + ": " +
                                                         base::EscapeForTerminal(error.description()));
  }
  return std::move(parsed).table();
}

base::Result<std::vector<std::pair<std::string, std::string>>> VariablesOf(const toml::table& table) {
  constexpr size_t kMostBytes = 32 * 1024;  // of all: they travel with each job
  std::vector<std::pair<std::string, std::string>> variables;
  size_t bytes = 0;
  for (const auto& [key, node] : table) {
    const std::string name(key.str());
    const auto problem = [&](const std::string& what) {
      return base::Error(base::Code::kInvalidArgument, "'" + base::EscapeForTerminal(name) + "' " + what);
    };
    if (name.empty() || name.find_first_of(std::string_view("= \t\n\0", 5)) != std::string::npos)
      return problem("is no name of a variable");
    if (name.starts_with("JOBD_")) return problem("is one of those that jobd sets itself");
    const auto value = ScalarText(node);
    if (!value || value->find('\0') != std::string::npos) return problem("must be a text");
    bytes += name.size() + value->size() + 2;
    if (bytes > kMostBytes) return base::Error(base::Code::kInvalidArgument, "the variables are more than 32 KiB");
    variables.emplace_back(name, *value);
  }
  return variables;
}

std::string VariablesText(const std::vector<std::pair<std::string, std::string>>& variables) {
  const auto quoted = [](const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
      if (c == '"' || c == '\\') out += '\\';
      if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) {
        out += c;
        continue;
      }
      constexpr char kDigits[] = "0123456789abcdef";
      out += std::string("\\u00") + kDigits[(c >> 4) & 15] + kDigits[c & 15];
    }
    return out + '"';
  };
  std::string text;
  for (const auto& [name, value] : variables) text += (text.empty() ? "" : ", ") + quoted(name) + " = " + quoted(value);
  return "{" + text + "}";
}

std::optional<std::string> ScalarText(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* integer = node.as_integer()) return std::to_string(integer->get());
  if (const auto* truth = node.as_boolean()) return truth->get() ? "true" : "false";
  if (const auto* number = node.as_floating_point()) {
    std::array<char, 64> buffer;
    std::snprintf(buffer.data(), buffer.size(), "%.15g", number->get());
    return buffer.data();
  }
  return std::nullopt;
}

}  // namespace jobd::config
