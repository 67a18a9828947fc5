// Real programs in jobs of a real jobd: each test runs under `standard` and `strict`, of a jobd that is root and of one that is
// not.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/e2e/harness/daemon.h"
#include "tests/support/programs.h"

namespace jobd::e2e {

struct Place {
  bool ordinary;  // jobd runs as a user who has no account on the machine, which is how containers start things
  const char* profile;
};

inline constexpr Place kPlaces[] = {{false, "standard"}, {false, "strict"}, {true, "standard"}, {true, "strict"}};
inline std::string PlaceName(const testing::TestParamInfo<Place>& place) {
  return std::string(place.param.ordinary ? "Ordinary_" : "Usual_") + place.param.profile;
}

class AtHome : public testing::TestWithParam<Place> {
 public:
  static void TearDownTestSuite();

 protected:
  void SetUp() override;
  // Runs a script for sh in the test's own folder.
  Output Job(const std::string& script, std::vector<std::string> options = {}) const;
  // The same, which has to end with 0. Both streams.
  std::string Said(const std::string& script, std::vector<std::string> options = {}) const;
  // Starts it and returns its ID.
  std::string Begin(const std::string& script) const;
  // Whether jobd says that a memory limit can be enforced: an ordinary user has no control groups everywhere.
  bool HasMemoryLimit() const;
  // Where it cannot, a job that asks for one does not run, and is told why.
  void ExpectMemoryLimitRefused() const;

  Daemon& daemon() const { return *daemon_; }
  const std::string& workdir() const { return workdir_; }
  bool strict() const { return std::string(GetParam().profile) == "strict"; }

 private:
  std::vector<std::string> Run(const std::string& script, std::vector<std::string> options) const;

  Daemon* daemon_ = nullptr;
  std::string workdir_;
};

}  // namespace jobd::e2e
