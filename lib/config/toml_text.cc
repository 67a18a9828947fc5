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
