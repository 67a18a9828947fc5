// Interpreters and virtual machines, which ask the system who they are and how much they may use.
#include "tests/e2e/programs/at_home.h"

namespace jobd::e2e {
namespace {

class LanguagesAtHome : public AtHome {
 protected:
  std::string Account() const { return Said("id -un"); }
};
INSTANTIATE_TEST_SUITE_P(Places, LanguagesAtHome, testing::ValuesIn(kPlaces), PlaceName);

TEST_P(LanguagesAtHome, FaultB1PythonKnowsItsUserAndHome) {
  JOBD_REQUIRE_PROGRAM("python3");
  EXPECT_EQ(
      Said("python3 -c 'import getpass, os, pathlib, pwd\n"
           "me = pwd.getpwuid(os.getuid())\n"
           "print(getpass.getuser() == me.pw_name, str(pathlib.Path.home()) == me.pw_dir, os.environ[\"HOME\"] == me.pw_dir)'"),
      "True True True\n");
  EXPECT_EQ(
      Said("env -u HOME -u USER -u LOGNAME python3 -c 'import getpass, pathlib\nprint(getpass.getuser(), pathlib.Path.home())'"),
      Account().substr(0, Account().size() - 1) + " /tmp\n")
      << "without the variables, too";
}

TEST_P(LanguagesAtHome, FaultB2PythonMakesAVirtualEnvironment) {
  JOBD_REQUIRE_PROGRAM("python3");
  const Output made = Job("/usr/bin/python3 -m venv --without-pip env");
  ASSERT_EQ(made.code(), 0) << made.out << made.err;
  EXPECT_EQ(Said("env/bin/python -c 'import sys; print(sys.prefix)'"), workdir() + "/env\n") << "another job uses it";
}

TEST_P(LanguagesAtHome, FaultB6PythonsProcessesShareMemoryAndLocks) {
  JOBD_REQUIRE_PROGRAM("python3");
  EXPECT_EQ(Said("cat >many.py <<'END'\n"
                 "import multiprocessing as m\n"
                 "from multiprocessing import shared_memory\n"
                 "if __name__ == '__main__':\n"
                 "  for method in ('fork', 'spawn', 'forkserver'):\n"
                 "    context = m.get_context(method)\n"
                 "    with context.Pool(2) as pool: print(method, pool.map(abs, [-1, -2]))\n"
                 "  queue = m.Queue(); queue.put(3); print(queue.get())\n"
                 "  memory = shared_memory.SharedMemory(create=True, size=100)\n"
                 "  memory.buf[0] = 7; print(memory.buf[0]); memory.close(); memory.unlink()\n"
                 "END\n"
                 "python3 many.py"),
            "fork [1, 2]\nspawn [1, 2]\nforkserver [1, 2]\n3\n7\n");
}

TEST_P(LanguagesAtHome, FaultB4PythonHasTerminals) {
  JOBD_REQUIRE_PROGRAM("python3");
  EXPECT_EQ(Said("python3 -c 'import pty, sys; sys.exit(pty.spawn([\"sh\", \"-c\", \"tty; test -t 0 && echo a terminal\"]))'"),
            "/dev/pts/0\r\na terminal\r\n");
}

TEST_P(LanguagesAtHome, FaultB1NodeKnowsItsUser) {
  JOBD_REQUIRE_PROGRAM("node");
  EXPECT_EQ(Said("node -e 'const os = require(\"os\"); const me = os.userInfo();"
                 "console.log(me.username, me.homedir, os.homedir(), me.uid === process.getuid())'"),
            Account().substr(0, Account().size() - 1) + " /tmp /tmp true\n");
}

TEST_P(LanguagesAtHome, FaultB5NodeKnowsItsMemory) {
  JOBD_REQUIRE_PROGRAM("node");
  if (!HasMemoryLimit()) return ExpectMemoryLimitRefused();
  EXPECT_EQ(Said("node -p 'process.constrainedMemory()'", {"--memory", "300M"}), "314572800\n");
}

TEST_P(LanguagesAtHome, FaultB2NpmFindsAHome) {
  JOBD_REQUIRE_PROGRAM("npm");
  const std::string version = Said("npm --version 2>&1");
  EXPECT_EQ(version.find_first_not_of("0123456789.\n"), std::string::npos) << version;
  EXPECT_NE(Said("mkdir p && cd p && npm init -y >/dev/null && npm config get cache && ls"), "");
}

TEST_P(LanguagesAtHome, FaultB5JavaBoundsItsHeapByTheJobsMemory) {
  JOBD_REQUIRE_PROGRAM("java");
  Said("java -version");
  if (!HasMemoryLimit()) return ExpectMemoryLimitRefused();
  // A quarter of the job's memory, as Java does of a machine's.
  const std::string flags = Said("java -XX:+PrintFlagsFinal -version 2>&1 | grep ' MaxHeapSize'", {"--memory", "512M"});
  EXPECT_NE(flags.find(" 134217728 "), std::string::npos) << flags;
}

TEST_P(LanguagesAtHome, FaultB5JavaEndsByItsOwnErrorAndNotByTheKernel) {
  JOBD_REQUIRE_PROGRAM("javac");
  if (!HasMemoryLimit()) return ExpectMemoryLimitRefused();
  const Output output =
      Job("cat >Eat.java <<'END'\n"
          "import java.util.*;\n"
          "class Eat { public static void main(String[] a) { var all = new ArrayList<byte[]>(); while (true) all.add(new byte[1 << "
          "20]); } }\n"
          "END\n"
          "java Eat.java",
          {"--memory", "512M"});
  EXPECT_EQ(output.code(), 1) << output.err;
  EXPECT_NE(output.err.find("OutOfMemoryError"), std::string::npos) << output.err;
}

}  // namespace
}  // namespace jobd::e2e
