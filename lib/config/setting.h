// A setting is declared once, with its name, its help, how it is read and how it is shown. Everything else (file, environment,
// flags, `admin config`, the reference in docs) follows from the table.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/config.h"

namespace jobd::config {

struct Setting {
  std::string_view key;  // "section.name"
  std::string_view help;
  bool reloadable = false;
  // Reads the text of a value; errors say what is wrong with it, not where.
  std::function<base::Status(Config&, std::string_view text)> read;
  std::function<std::string(const Config&)> show;
  bool is_table = false;  // in a file it is a table of texts; elsewhere that table in one line
  // A path: relative ones are taken from the folder of the configuration file.
  std::string Config::*path = nullptr;
};

// All settings, in the order in which they are documented. Immutable; thread-safe.
const std::vector<Setting>& Settings();

// "JOBD_LIMITS_MAX_RUNNING" for "limits.max_running".
std::string EnvironmentName(std::string_view key);

}  // namespace jobd::config
