// certs/make-certs.sh: what it makes, as openssl sees it.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "config/users.h"
#include "tests/e2e/harness/process.h"
#include "tests/e2e/harness/small_disk.h"
#include "tests/support/require.h"
#include "tests/support/temp_dir.h"

namespace jobd::e2e {
namespace {

class Certs : public testing::Test {
 protected:
  Output Make(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {std::string(JOBD_SOURCE_DIR) + "/certs/make-certs.sh", dir_});
    return RunCommand({.argv = arguments, .env = {}, .input = {}, .directory = {}});
  }
  std::string Shell(const std::string& line) const {
    return RunCommand({.argv = {"/bin/sh", "-c", line}, .env = {}, .input = {}, .directory = dir_}).out;
  }
  std::string Text(const std::string& name) const {
    std::ifstream file(dir_ + "/" + name);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::string Fingerprint(const std::string& name) const {
    return Shell("openssl x509 -in " + name + ".crt -outform DER | sha256sum | cut -c1-64 | tr -d '\\n'");
  }
  bool Verifies(const std::string& name, const std::string& purpose) const {
    return Shell("openssl verify -CAfile ca.crt -purpose " + purpose + " " + name + ".crt") == name + ".crt: OK\n";
  }
  std::string Names(const std::string& name) const { return Shell("openssl x509 -in " + name + ".crt -noout -ext subjectAltName"); }
  bool PairFits(const std::string& name) const {
    return Shell("openssl x509 -in " + name + ".crt -noout -pubkey") == Shell("openssl pkey -in " + name + ".key -pubout");
  }

  test::TempDir temp_;
  std::string dir_ = temp_ / "with a space";
};

TEST_F(Certs, TheServerIsKnownByThisMachinesNameAndThoseThatAreGiven) {
  const std::string script = std::string(JOBD_SOURCE_DIR) + "/certs/make-certs.sh";
  EXPECT_EQ(RunCommand({{script, dir_}, {{"JOBD_SERVER_NAMES", "a b;c"}}, {}, {}}).code(), 1) << "no name";
  ASSERT_EQ(RunCommand({{script, dir_}, {{"JOBD_SERVER_NAMES", "build.example 192.0.2.7 2001:db8::7"}}, {}, {}}).code(), 0);
  const std::string names = Names("server");
  const std::string own = Shell("hostname | tr -d '\\n'");
  for (const std::string& name : {std::string("DNS:localhost"), "DNS:" + own, std::string("DNS:build.example"),
                                  std::string("IP Address:192.0.2.7"), std::string("IP Address:2001:DB8:0:0:0:0:0:7")}) {
    EXPECT_NE(names.find(name), std::string::npos) << name << " is not in " << names;
  }
}

TEST_F(Certs, RefusalsHaveTheirCodesAndMakeNothing) {
  EXPECT_EQ(RunCommand({{std::string(JOBD_SOURCE_DIR) + "/certs/make-certs.sh"}, {}, {}, {}}).code(), 2);
  EXPECT_EQ(Make({"promote", "a"}).code(), 2);
  EXPECT_EQ(Make({"user"}).code(), 2);
  EXPECT_EQ(Make({"user", "a", "b"}).code(), 2);
  EXPECT_EQ(Make({"user", "a"}).code(), 1);  // no authority yet
  ASSERT_EQ(Make({}).code(), 0);
  const std::string before = Shell("ls -A; cat *");
  for (const std::string& bad : {std::string("../a"), std::string("a b"), std::string(".a"), std::string("-a"), std::string(""),
                                 std::string("a\nb"), std::string(129, 'a')}) {
    EXPECT_EQ(Make({"user", bad}).code(), 2) << bad;
    EXPECT_EQ(Make({"revoke", bad}).code(), 2) << bad;
  }
  for (const char* own : {"ca", "server"}) {
    for (const char* verb : {"user", "host", "revoke"}) EXPECT_EQ(Make({verb, own}).code(), 1) << verb << own;
  }
  EXPECT_EQ(Make({"host", "admin"}).code(), 1);
  EXPECT_EQ(Make({"revoke", "nobody"}).code(), 1);
  EXPECT_EQ(Make({"renew", "nobody"}).code(), 1);
  EXPECT_EQ(Shell("ls -A; cat *"), before);
}

TEST_F(Certs, WhatWasThereBeforeIsMadeAndKept) {
  ASSERT_EQ(Make({}).code(), 0);
  EXPECT_TRUE(Verifies("server", "sslserver"));
  for (const char* name : {"admin", "operator", "operator2", "viewer"}) {
    EXPECT_TRUE(Verifies(name, "sslclient"));
    EXPECT_FALSE(Verifies(name, "sslserver"));
    EXPECT_NE(Names(name).find("URI:spiffe://jobd/user/" + std::string(name) + "\n"), std::string::npos);
    struct stat about {};
    ASSERT_EQ(::stat((dir_ + "/" + name + ".key").c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0777, 0600u);
  }
  EXPECT_TRUE(config::Users::Parse("users.toml", Text("users.toml")).ok());
  const std::string before = Shell("cat *");
  ASSERT_EQ(Make({}).code(), 0);
  EXPECT_EQ(Shell("cat *"), before);
}

TEST_F(Certs, OneMoreUserOrHost) {
  ASSERT_EQ(Make({}).code(), 0);
  const Output user = Make({"user", "alice"});
  EXPECT_EQ(user.code(), 0) << user.err;
  EXPECT_TRUE(user.out.starts_with("jobctl context add alice --address 127.0.0.1:7443 --ca ")) << user.out;
  EXPECT_TRUE(Verifies("alice", "sslclient"));
  EXPECT_NE(Names("alice").find("URI:spiffe://jobd/user/alice\n"), std::string::npos);
  // Its words are those that a shell takes: paths with blanks too.
  const std::string line = user.out.substr(0, user.out.find('\n'));
  EXPECT_EQ(Shell("set -- " + line + "; for word; do echo \"$word\"; done | tail -n 1"), dir_ + "/alice.key\n");
  const std::string made = Fingerprint("alice");
  EXPECT_EQ(Make({"user", "alice"}).out, user.out);
  EXPECT_EQ(Fingerprint("alice"), made);

  const Output host = Make({"host", "web"});
  EXPECT_EQ(host.code(), 0) << host.err;
  EXPECT_NE(Names("web").find("URI:spiffe://jobd/host/web\n"), std::string::npos);
  EXPECT_TRUE(Verifies("web", "sslclient"));
  const auto users = config::Users::Parse("u", host.out.substr(host.out.find("[[host]]")));
  ASSERT_TRUE(users.ok()) << users.error().message();
  EXPECT_NE(users->FindHost("web"), nullptr);
  EXPECT_EQ(Make({"user", "web"}).code(), 1);
  EXPECT_EQ(Make({"user", std::string(128, 'n')}).code(), 0);
}

TEST_F(Certs, RenewKeepsKeysAndNames) {
  ASSERT_EQ(Make({}).code(), 0);
  const std::string keys = Shell("cat *.key");
  const std::string authority = Text("ca.crt");
  const std::string names = Names("server");
  const std::string viewer = Fingerprint("viewer");
  ASSERT_EQ(Make({"renew", "server", "operator"}).code(), 0);
  EXPECT_EQ(Fingerprint("viewer"), viewer);
  const std::string server = Fingerprint("server");
  const Output all = Make({"renew"});
  EXPECT_EQ(all.code(), 0) << all.err;
  EXPECT_NE(Fingerprint("viewer"), viewer);
  EXPECT_NE(Fingerprint("server"), server);
  EXPECT_EQ(Shell("cat *.key"), keys);
  EXPECT_EQ(Text("ca.crt"), authority);
  EXPECT_EQ(Names("server"), names);
  EXPECT_TRUE(Verifies("server", "sslserver"));
  EXPECT_TRUE(Verifies("operator", "sslclient"));
  EXPECT_TRUE(PairFits("server"));
}

TEST_F(Certs, AnAuthorityThatWouldEndFirstIsRenewedAndStaysTheSame) {
  ASSERT_EQ(Make({}).code(), 0);
  Shell(
      "openssl req -x509 -new -key ca.key -sha256 -days 30 -subj '/CN=jobd development CA' -out ca.crt "
      "-addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign,cRLSign");
  const std::string old = Text("ca.crt");
  EXPECT_EQ(Make({"renew", "operator"}).code(), 0);
  EXPECT_NE(Text("ca.crt"), old);
  // Who was not renewed is still signed by it.
  EXPECT_TRUE(Verifies("viewer", "sslclient"));
  EXPECT_TRUE(Verifies("operator", "sslclient"));
}

TEST_F(Certs, RevokedIsAllThatANameEverGot) {
  ASSERT_EQ(Make({}).code(), 0);
  const std::string first = Fingerprint("operator");
  ASSERT_EQ(Make({"renew", "operator"}).code(), 0);
  const std::string second = Fingerprint("operator");
  ASSERT_EQ(Make({"revoke", "operator"}).code(), 0);
  const std::string list = Text("revoked.txt");
  EXPECT_NE(list.find("\n" + first + "  # operator, "), std::string::npos) << list;
  EXPECT_NE(list.find("\n" + second + "  # operator, "), std::string::npos);
  EXPECT_EQ(list.find(Fingerprint("operator2")), std::string::npos);
  EXPECT_EQ(Make({"revoke", "operator"}).code(), 0);
  EXPECT_EQ(Text("revoked.txt"), list);
  // A revoked one is neither renewed nor kept: the next pair has a key of its own.
  EXPECT_EQ(Make({"renew", "operator"}).code(), 1);
  ASSERT_EQ(Make({"renew"}).code(), 0);
  EXPECT_EQ(Fingerprint("operator"), second);
  const std::string key = Text("operator.key");
  ASSERT_EQ(Make({"user", "operator"}).code(), 0);
  EXPECT_NE(Text("operator.key"), key);
  EXPECT_TRUE(PairFits("operator"));
  EXPECT_EQ(Text("revoked.txt").find(Fingerprint("operator")), std::string::npos);
}

TEST_F(Certs, AListWithoutALastLineFeedAndAFolderOfAnOlderVersionWillDo) {
  ASSERT_EQ(Make({}).code(), 0);
  std::filesystem::remove(dir_ + "/issued.txt");
  std::ofstream(dir_ + "/revoked.txt") << "# ours\n0123abcd";
  ASSERT_EQ(Make({"revoke", "viewer"}).code(), 0);
  EXPECT_TRUE(Text("revoked.txt").starts_with("# ours\n0123abcd\n" + Fingerprint("viewer") + "  # viewer, "))
      << Text("revoked.txt");
}

TEST_F(Certs, WithoutTheAuthoritysKeyNothingIsMade) {
  ASSERT_EQ(Make({}).code(), 0);
  std::filesystem::rename(dir_ + "/ca.key", temp_ / "elsewhere");
  const Output output = Make({"user", "alice"});
  EXPECT_EQ(output.code(), 1);
  EXPECT_NE(output.err.find("ca.key is not in "), std::string::npos) << output.err;
  EXPECT_FALSE(std::filesystem::exists(dir_ + "/alice.key"));
  EXPECT_EQ(Make({"revoke", "viewer"}).code(), 0);  // which needs no key
  EXPECT_EQ(Make({}).code(), 0);                    // and what is there already neither
}

// What is there is worth more than what was to come.
TEST_F(Certs, AFullDiskDestroysNothing) {
  std::string why;
  JOBD_REQUIRE(SmallDisk::Possible(why), why);
  const SmallDisk disk(dir_, "size=1m");
  ASSERT_EQ(Make({}).code(), 0);
  ASSERT_EQ(Make({"user", "alice"}).code(), 0);
  ASSERT_EQ(Make({"revoke", "alice"}).code(), 0);
  const std::string before = Shell("ls -A; cat *");
  disk.TakeSpace();
  for (const std::vector<std::string>& verb : std::vector<std::vector<std::string>>{
           {"renew"}, {"renew", "admin"}, {"revoke", "viewer"}, {"user", "bob"}, {"host", "there"}}) {
    const Output refused = Make(verb);
    EXPECT_EQ(refused.code(), 1) << verb.front();
    EXPECT_NE(refused.err, "") << verb.front();
  }
  disk.GiveBack();
  EXPECT_EQ(Shell("ls -A; cat *"), before);
  EXPECT_EQ(Make({"renew"}).code(), 0);
  EXPECT_TRUE(Verifies("admin", "sslclient"));
}

// Whatever openssl has said by then.
TEST_F(Certs, WhatCannotBeSignedReplacesNothing) {
  ASSERT_EQ(Make({}).code(), 0);
  const std::string before = Shell("cat *.crt revoked.txt issued.txt users.toml");
  std::ofstream(dir_ + "/ca.key") << "damaged";
  EXPECT_EQ(Make({"renew", "admin"}).code(), 1);
  EXPECT_EQ(Make({"user", "alice"}).code(), 1);
  EXPECT_EQ(Shell("cat *.crt revoked.txt issued.txt users.toml"), before);
}

}  // namespace
}  // namespace jobd::e2e
