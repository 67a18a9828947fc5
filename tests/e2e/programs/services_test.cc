// Programs that keep files, sockets and processes of their own.
#include "tests/e2e/programs/at_home.h"

namespace jobd::e2e {
namespace {

class ServicesAtHome : public AtHome {};
INSTANTIATE_TEST_SUITE_P(Places, ServicesAtHome, testing::ValuesIn(kPlaces), PlaceName);

constexpr const char* kPostgres = "set -e; PATH=$PATH:$(echo /usr/lib/postgresql/*/bin | tr ' ' :); export PGDATA=$PWD/data; ";

bool HasPostgres() { return test::IsInstalled("../lib/postgresql") || test::IsInstalled("initdb"); }

TEST_P(ServicesAtHome, FaultB1PostgresqlStartsAnswersAndStops) {
  JOBD_REQUIRE(HasPostgres(), "PostgreSQL is not installed; `scripts/deps.sh programs` brings it");
  const std::string start = "pg_ctl -w -t 240 -l log -o '-c listen_addresses= -k /tmp' start >/dev/null || { cat log; exit 1; }; ";
  Said(std::string(kPostgres) + "initdb -A trust -N >/dev/null; " + start +
       "psql -h /tmp -Atqc 'create table answers as select 42 as answer' postgres; pg_ctl -w -t 240 stop >/dev/null");
  // What it keeps has to be its own in the next job, too: it checks owner and mode.
  EXPECT_EQ(Said(std::string(kPostgres) + start +
                 "psql -h /tmp -Atqc 'select answer, current_user = (select rolname from pg_roles where oid = 10) from answers' "
                 "postgres; pg_ctl -w -t 240 stop >/dev/null"),
            "42|t\n");
}

TEST_P(ServicesAtHome, FaultB1PostgresqlLeavesNothingBehind) {
  JOBD_REQUIRE(HasPostgres(), "PostgreSQL is not installed; `scripts/deps.sh programs` brings it");
  Said(std::string(kPostgres) + "initdb -A trust -N >/dev/null; pg_ctl -w -t 240 -l log -o '-c listen_addresses= -k /tmp' start");
  // The job has ended, and its server with it.
  EXPECT_EQ(Said("for p in /proc/[0-9]*; do read -r name <$p/comm || continue; [ $name != postgres ] || echo alive; done"), "");
}

TEST_P(ServicesAtHome, FaultB2SqliteWithALogOfItsOwn) {
  JOBD_REQUIRE_PROGRAM("sqlite3");
  Said("sqlite3 file.db 'pragma journal_mode=wal; create table a(b); insert into a values(7)'");
  EXPECT_EQ(Said("sqlite3 file.db 'select b from a'"), "7\n");
}

TEST_P(ServicesAtHome, FaultB1SshKnowsWhoItIs) {
  JOBD_REQUIRE_PROGRAM("ssh");
  EXPECT_NE(Said("ssh -V 2>&1").find("OpenSSH"), std::string::npos);
  // It ends before it reaches the network where its user has no name.
  const Output output = Job("ssh -o BatchMode=yes -o ConnectTimeout=1 -p 1 127.0.0.1");
  EXPECT_NE(output.err.find("port 1"), std::string::npos) << output.err;
  EXPECT_EQ(Job("ssh-keygen -q -t ed25519 -N '' -f ~/key && test -s ~/key.pub").code(), 0);
}

TEST_P(ServicesAtHome, FaultB1TheFilesOfAccountsAreNotTheJobs) {
  EXPECT_EQ(Said("for f in passwd group; do (chmod u+w /etc/$f; echo x >>/etc/$f) 2>/dev/null && echo changed; done; "
                 "test \"$(getent passwd $(id -u) | cut -d: -f1,6)\" = \"$(id -un):$HOME\" && id -gn >/dev/null && echo named"),
            "named\n");
}

TEST_P(ServicesAtHome, FaultB2GpgMakesItsFolderInTheHome) {
  JOBD_REQUIRE_PROGRAM("gpg");
  EXPECT_NE(Said("gpg --list-keys").find("/tmp/.gnupg"), std::string::npos);
  // With an agent, which listens at a socket.
  EXPECT_EQ(Said("gpg -q --batch --passphrase '' --quick-gen-key me@example.org default default never 2>/dev/null && echo text | "
                 "gpg -q --clearsign -u me@example.org 2>/dev/null | gpg -q --verify 2>&1 | grep -c 'Good signature'"),
            "1\n");
}

TEST_P(ServicesAtHome, FaultB3CurlWritesToStreamsByName) {
  JOBD_REQUIRE_PROGRAM("curl");
  const Output output = Job("echo text >f; curl -s -o /dev/stdout file://$PWD/f; curl -s -o /dev/stderr file://$PWD/f");
  EXPECT_EQ(output.out, "text\n");
  EXPECT_EQ(output.err, "text\n");
}

TEST_P(ServicesAtHome, FaultB4ScriptAndTmuxHaveTerminals) {
  JOBD_REQUIRE_PROGRAM("script");
  EXPECT_EQ(Said("script -qec 'tty; stty size; exit 0' /dev/null </dev/null | tr -d '\\r'"), "/dev/pts/0\n0 0\n");
  JOBD_REQUIRE_PROGRAM("tmux");
  EXPECT_EQ(Said("tmux -f /dev/null new-session -d -s own 'tty >tty.new; mv tty.new tty; exec sleep 600' && "
                 "until [ -e tty ]; do sleep 0.01; done; cat tty; tmux ls -F '#{session_name}'; tmux kill-server"),
            "/dev/pts/0\nown\n");
}

TEST_P(ServicesAtHome, FaultB6LocksAndMessageQueues) {
  JOBD_REQUIRE_PROGRAM("flock");
  EXPECT_EQ(Said("flock /run/lock/mine echo locked; flock /var/lock/mine echo here, too"), "locked\nhere, too\n");
}

}  // namespace
}  // namespace jobd::e2e
