#include "tests/soak/ledger.h"

#include <fstream>

namespace jobd::soak {

std::map<std::string, int> CountStarts(const std::string& file) {
  std::map<std::string, int> starts;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) ++starts[line];
  return starts;
}

}  // namespace jobd::soak
