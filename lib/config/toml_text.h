// TOML behind one door: parsing without exceptions, errors with file and line.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <toml++/toml.h>

#include "base/result.h"

namespace jobd::config {

// "FILE:LINE: problem".
base::Error ErrorAt(const std::string& file, const toml::node& node, const std::string& problem);

base::Result<toml::table> ParseToml(const std::string& file, std::string_view text);

// A text, number or truth value as text; nothing for tables, lists and dates.
std::optional<std::string> ScalarText(const toml::node& node);

}  // namespace jobd::config
