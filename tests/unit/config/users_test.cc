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

}  // namespace
}  // namespace jobd::config
