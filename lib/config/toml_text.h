// TOML behind one door: parsing without exceptions, errors with file and line.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <toml++/toml.h>

#include "base/result.h"

namespace jobd::config {

// "FILE:LINE: problem".
base::Error ErrorAt(const std::string& file, const toml::node& node, const std::string& problem);

base::Result<toml::table> ParseToml(const std::string& file, std::string_view text);

// The environment variables of a table { NAME = "value", … }, by name. Errors say what is wrong, not where.
base::Result<std::vector<std::pair<std::string, std::string>>> VariablesOf(const toml::table& table);
// Such a table as text, in one line: what ParseToml reads behind "NAME = ".
std::string VariablesText(const std::vector<std::pair<std::string, std::string>>& variables);

// A text, number or truth value as text; nothing for tables, lists and dates.
std::optional<std::string> ScalarText(const toml::node& node);

}  // namespace jobd::config
