#include "config/users.h"

#include <gtest/gtest.h>

namespace jobd::config {
namespace {

std::string ErrorOf(std::string_view text) {
  const auto users = Users::Parse("users.toml", text);
  return users.ok() ? "OK" : users.error().message();
}

TEST(Users, RefusesWhatIsNotAUser) {
  EXPECT_EQ(ErrorOf("[[user]]\nname = \"a\"\n"), "users.toml:1: user 'a' needs a role");
  EXPECT_EQ(ErrorOf("[[user]]\nrole = \"admin\"\n"), "users.toml:1: a user needs a name");
  EXPECT_EQ(ErrorOf("[[user]]\nname = \"a\"\nrole = \"root\"\n"), "users.toml:3: role must be one of: admin, operator, viewer");
  EXPECT_EQ(ErrorOf("[[user]]\nname = \"../a\"\nrole = \"admin\"\n"),
            "users.toml:2: name must be letters, digits, '_', and then also '.', ':', '-'");
  EXPECT_EQ(ErrorOf("[[user]]\nname = \"a\"\nrole = \"admin\"\nsudo = true\n"), "users.toml:4: unknown key 'sudo'");
  EXPECT_EQ(ErrorOf("[[user]]\nname = \"a\"\nrole = \"admin\"\npassword = \"hunter2\"\n"),
            "users.toml:4: password must be an argon2id hash");
  EXPECT_EQ(ErrorOf("[[user]]\nname=\"a\"\nrole=\"admin\"\n[[user]]\nname=\"a\"\nrole=\"viewer\"\n"),
            "users.toml:4: user 'a' is given twice");
  EXPECT_EQ(ErrorOf("[users]\n"), "users.toml:1: expected [[user]] and [[host]] entries and [role.NAME] sections only");
  EXPECT_EQ(ErrorOf("[[user]]\nname=\"a\"\nrole=\"admin\"\nmax_queued = -1\n"),
            "users.toml:4: max_queued must be a number from 0 to 100000000");
  const std::string user = "[[user]]\nname=\"a\"\nrole=\"admin\"\n";
  EXPECT_EQ(ErrorOf(user + "retention = 7\n"), "users.toml:4: retention must be a table: max_age, max_bytes, max_batches");
  EXPECT_EQ(ErrorOf(user + "retention = { max_days = 7 }\n"), "users.toml:4: unknown key 'retention.max_days'");
  EXPECT_TRUE(ErrorOf(user + "retention = { max_age = \"soon\" }\n").starts_with("users.toml:4: retention.max_age: "));
  EXPECT_TRUE(ErrorOf(user + "retention = { max_bytes = -1 }\n").starts_with("users.toml:4: retention.max_bytes: "));
}

TEST(Users, RefusesWhatIsNoBound) {
  const std::string user = "[[user]]\nname=\"a\"\nrole=\"operator\"\n";
  EXPECT_EQ(ErrorOf(user + "max_memory = \"much\"\n"), "users.toml:4: max_memory: 'much' is not a size (as in 4096, 512M or 1.5G)");
  EXPECT_EQ(ErrorOf(user + "max_pids = -1\n"), "users.toml:4: max_pids must be a number from 0 to 4194304");
  EXPECT_EQ(ErrorOf(user + "max_open_files = 7\n"), "users.toml:4: max_open_files must be 0, for no bound, or at least 8");
  EXPECT_EQ(ErrorOf(user + "max_beer = 1\n"), "users.toml:4: unknown key 'max_beer'");
  EXPECT_EQ(ErrorOf(user + "workdirs = [\"data\"]\n"), "users.toml:4: workdirs must be absolute paths without '..'");
  EXPECT_EQ(ErrorOf(user + "workdirs = [\"/data/..\"]\n"), "users.toml:4: workdirs must be absolute paths without '..'");
  EXPECT_EQ(ErrorOf("[role.root]\nprofiles = [\"open\"]\n" + user),
            "users.toml:1: expected [role.admin], [role.operator] or [role.viewer]");
  EXPECT_EQ(ErrorOf("[role.operator]\npassword = \"x\"\n" + user), "users.toml:2: password is for [[user]] entries");
}

TEST(Users, ARolesWordHoldsWhereTheUserSaysNothing) {
  const auto users = Users::Parse("f", R"(
[role.operator]
profiles = ["standard", "strict"]
workdirs = ["/srv/work"]
max_memory = "2G"
max_cpus = 1.5
max_timeout = "1h"
max_queued = 7
[[user]]
name = "a"
role = "operator"
[[user]]
name = "b"
role = "operator"
profiles = ["open"]
max_memory = 0
max_io_read = "10M"
[[user]]
name = "c"
role = "viewer"
)");
  ASSERT_TRUE(users.ok()) << users.error().message();
  const User& a = *users->Find("a");
  EXPECT_EQ(a.profiles, (std::vector<std::string>{"standard", "strict"}));
  EXPECT_EQ(a.workdirs, std::vector<std::string>{"/srv/work"});
  EXPECT_EQ(a.most, (UserMaxima{.memory = 2ull << 30, .cpu_millis = 1500, .timeout = 3600 * base::kNanosPerSecond}));
  EXPECT_EQ(a.max_queued, 7u);
  const User& b = *users->Find("b");
  EXPECT_EQ(b.profiles, std::vector<std::string>{"open"});
  EXPECT_EQ(b.most.memory, 0u);
  EXPECT_EQ(b.most.cpu_millis, 1500u);
  EXPECT_EQ(b.most.io_read, 10u << 20);
  EXPECT_EQ(*users->Find("c"), (User{.name = "c", .role = Role::kViewer}));
}

TEST(Users, RefusesAPasswordThatIsNoHashOrCostsTooMuch) {
  const std::string user = "[[user]]\nname=\"a\"\nrole=\"operator\"\npassword = ";
  const std::string rest = ",p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"\n";
  EXPECT_EQ(ErrorOf(user + "\"$argon2id$v=19$m=65536,t=2" + rest), "OK");
  EXPECT_EQ(ErrorOf(user + "\"$argon2id$v=19$m=4194304,t=2" + rest),
            "users.toml:4: password is an argon2id hash that costs too much to check: at most m=131072,t=16");
  EXPECT_EQ(ErrorOf(user + "\"$argon2id$v=19$m=65536,t=2,p=1$\"\n"),
            "users.toml:4: password is not a whole argon2id hash: a salt of 16 bytes and a hash of 32 belong to it");
  EXPECT_EQ(ErrorOf(user + "12345678\n"), "users.toml:4: password must be an argon2id hash");
}

TEST(Users, RefusesWhatIsNotAHost) {
  EXPECT_EQ(ErrorOf("[host]\n"), "users.toml:1: expected [[user]] and [[host]] entries and [role.NAME] sections only");
  EXPECT_EQ(ErrorOf("host = [1]\n"), "users.toml:1: expected [[host]] entries only");
  EXPECT_EQ(ErrorOf("[[host]]\nmax_role = \"viewer\"\n"), "users.toml:1: a host needs a name");
  EXPECT_EQ(ErrorOf("[[host]]\nname = \"../web\"\n"),
            "users.toml:2: name must be letters, digits, '_', and then also '.', ':', '-'");
  EXPECT_EQ(ErrorOf("[[host]]\nname = \"web\"\nmax_role = \"root\"\n"),
            "users.toml:3: max_role must be one of: admin, operator, viewer");
  EXPECT_EQ(ErrorOf("[[host]]\nname = \"web\"\nusers = \"a\"\n"), "users.toml:3: users must be a list of texts");
  EXPECT_EQ(ErrorOf("[[host]]\nname = \"web\"\nusers = [\"a b\"]\n"), "users.toml:3: users must be names of users");
  EXPECT_EQ(ErrorOf("[[host]]\nname = \"web\"\npassword = \"x\"\n"), "users.toml:3: unknown key 'password'");
  EXPECT_EQ(ErrorOf("[[host]]\nname=\"web\"\n[[host]]\nname=\"web\"\n"), "users.toml:3: host 'web' is given twice");
}

TEST(Users, HostsAreNoUsers) {
  const auto users =
      Users::Parse("f",
                   "[[user]]\nname=\"a\"\nrole=\"viewer\"\n[[host]]\nname=\"web\"\nmax_role=\"admin\"\nusers=[\"a\"]\n"
                   "[[host]]\nname=\"a\"\n");
  ASSERT_TRUE(users.ok()) << users.error().message();
  EXPECT_EQ(users->all().size(), 1u);
  EXPECT_EQ(users->Find("web"), nullptr);
  EXPECT_EQ(*users->FindHost("web"), (Host{.name = "web", .max_role = Role::kAdmin, .users = {{"a"}}}));
  EXPECT_EQ(*users->FindHost("a"), (Host{.name = "a"}));
  EXPECT_EQ(users->FindHost("b"), nullptr);
}

TEST(Users, FindsByExactName) {
  const auto users =
      Users::Parse("f", "[[user]]\nname=\"b\"\nrole=\"operator\"\nrun_as=[\"build\"]\n[[user]]\nname=\"a\"\nrole=\"viewer\"\n");
  ASSERT_TRUE(users.ok()) << users.error().message();
  ASSERT_NE(users->Find("b"), nullptr);
  EXPECT_EQ(users->Find("b")->role, Role::kOperator);
  EXPECT_EQ(users->Find("b")->run_as, std::vector<std::string>{"build"});
  EXPECT_EQ(users->Find("A"), nullptr);
  EXPECT_EQ(users->Find(""), nullptr);
}

TEST(Users, MayHaveARetentionOfTheirOwn) {
  const auto users = Users::Parse("f",
                                  "[[user]]\nname=\"a\"\nrole=\"viewer\"\n[[user]]\nname=\"b\"\nrole=\"operator\"\n"
                                  "[user.retention]\nmax_age = \"7d\"\nmax_bytes = \"1G\"\n");
  ASSERT_TRUE(users.ok()) << users.error().message();
  EXPECT_FALSE(users->Find("a")->retention);
  ASSERT_TRUE(users->Find("b")->retention);
  EXPECT_EQ(*users->Find("b")->retention,
            (UserRetention{.max_age = 7 * 86'400 * base::kNanosPerSecond, .max_bytes = 1ull << 30, .max_batches = std::nullopt}));
}

}  // namespace
}  // namespace jobd::config
