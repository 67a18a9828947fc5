// Lines that say which batch or job they are about, so that whoever reads them by machine need not read sentences.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace jobd::logging {

// Stands between a message and its fields on the way to the formatters of logging.cc; never in what they print.
inline constexpr char kFieldMark = '\x1f';

struct Field {
  std::string_view name;  // as correlation_id, owner, job, by
  std::string_view value;
};

// A message for a logger of Create: in text "message name=value …", in JSON members of the object beside "message". Values are as
// harmless as messages must be.
inline std::string Line(std::string_view message, std::initializer_list<Field> fields) {
  std::string line(message);
  for (const Field& field : fields) {
    line += kFieldMark;
    line += field.name;
    line += '=';
    line += field.value;
  }
  return line;
}

}  // namespace jobd::logging
