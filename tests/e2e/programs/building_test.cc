// Compilers and what stands around them.
#include "tests/e2e/programs/at_home.h"

namespace jobd::e2e {
namespace {

class BuildingAtHome : public AtHome {};
INSTANTIATE_TEST_SUITE_P(Places, BuildingAtHome, testing::ValuesIn(kPlaces), PlaceName);

constexpr const char* kProject =
    "cat >Makefile <<'END'\n"
    "CC = gcc\n"
    "program: main.o part.o\n"
    "\t$(CC) -o $@ $^\n"
    "%.o: %.c\n"
    "\t$(CC) -O1 -g -c -o $@ $<\n"
    "END\n"
    "echo 'int part(void); int main(void) { return part(); }' >main.c\n"
    "echo 'int part(void) { return 42; }' >part.c\n";

TEST_P(BuildingAtHome, FaultB2GccAndMakeInParallel) {
  JOBD_REQUIRE_PROGRAM("gcc");
  JOBD_REQUIRE_PROGRAM("make");
  Said(std::string(kProject) + "make -s -j4");
  EXPECT_EQ(Job("./program").code(), 42) << "another job runs it";
  EXPECT_EQ(Said("make"), "make: 'program' is up to date.\n");
}

TEST_P(BuildingAtHome, FaultB2CcacheKeepsItsFilesInTheHome) {
  JOBD_REQUIRE_PROGRAM("gcc");
  JOBD_REQUIRE_PROGRAM("ccache");
  Said(std::string(kProject) +
       "make -s CC='ccache gcc' && rm *.o && make -s CC='ccache gcc' && ccache --print-stats | "
       "grep -E '^(direct|preprocessed)_cache_hit' | awk '{ n += $2 } END { exit n != 2 }'");
  // A cache that jobs share has to be where they all may write.
  Said("export CCACHE_DIR=$PWD/cache; rm *.o program; make -s CC='ccache gcc'");
  Said(
      "export CCACHE_DIR=$PWD/cache; rm *.o program; make -s CC='ccache gcc' && ccache --print-stats | "
      "grep -E '^(direct|preprocessed)_cache_hit' | awk '{ n += $2 } END { exit n != 2 }'");
}

TEST_P(BuildingAtHome, FaultB2BashDoesWhatItDoesAtHome) {
  JOBD_REQUIRE_PROGRAM("bash");
  EXPECT_EQ(Said("bash -c 'cd; pwd; echo ~; cat <<<here; cat <(echo substituted); coproc cat; echo to >&${COPROC[1]}; read -ru "
                 "${COPROC[0]} line; echo $line; mkfifo f; (echo fifo >f &); cat f; [[ $UID = $(id -u) ]] && echo same'"),
            "/tmp\n/tmp\nhere\nsubstituted\nto\nfifo\nsame\n");
}

TEST_P(BuildingAtHome, FaultB2TheLocaleIsUtf8) {
  JOBD_REQUIRE_PROGRAM("locale");
  EXPECT_EQ(Said("locale charmap"), "UTF-8\n");
  const Output all = Job("locale");
  EXPECT_EQ(all.err, "") << "nothing is set that the machine does not have";
  EXPECT_NE(all.out.find("LC_CTYPE=\"C.UTF-8\""), std::string::npos) << all.out;
}

}  // namespace
}  // namespace jobd::e2e
