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
  EXPECT_EQ(ErrorOf("[users]\n"), "users.toml:1: expected [[user]] entries only");
  EXPECT_EQ(ErrorOf("[[user]]\nname=\"a\"\nrole=\"admin\"\nmax_queued = -1\n"),
            "users.toml:4: max_queued must be a number from 0 to 100000000");
  const std::string user = "[[user]]\nname=\"a\"\nrole=\"admin\"\n";
  EXPECT_EQ(ErrorOf(user + "retention = 7\n"), "users.toml:4: retention must be a table: max_age, max_bytes, max_batches");
  EXPECT_EQ(ErrorOf(user + "retention = { max_days = 7 }\n"), "users.toml:4: unknown key 'retention.max_days'");
  EXPECT_TRUE(ErrorOf(user + "retention = { max_age = \"soon\" }\n").starts_with("users.toml:4: retention.max_age: "));
  EXPECT_TRUE(ErrorOf(user + "retention = { max_bytes = -1 }\n").starts_with("users.toml:4: retention.max_bytes: "));
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
