#include "config/users_edit.h"

#include <gtest/gtest.h>

namespace jobd::config {
namespace {

const std::string kHash = "$argon2id$v=19$m=65536,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

const std::string kFile = R"(# Who may do what: ünïcode, and [[user]] in a comment.

[role.operator]
profiles = ["standard"]   # for all of them

# The boss.
[[user]]
name = "boss"
role = "admin"

[[user]] # ä
  name = "öps" # no, see below
)";

// The one below has a name that is allowed.
const std::string kUsers = R"(# Who may do what: ünïcode, and [[user]] in a comment.

# The boss.
[[user]]
name = "boss"
role = "admin"

# Of the ops.
[[user]] # ä
  role = "operator"
  name = 'ops' # ümlaut
  # inner
  retention = { max_age = "7d" }  # a week
# Before the third.

[[user]]
name = "dev"
role = "operator"
disabled = true # on leave
password = "$argon2id$v=19$m=65536,t=3,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"  # old
max_running = 3
[user.retention]
max_bytes = "1G" # enough

[role.operator]
profiles = ["standard"]   # for all of them
)";

std::string With(std::string text, const std::string& from, const std::string& to) {
  const size_t place = text.find(from);
  EXPECT_NE(place, std::string::npos) << from;
  return text.replace(place, from.size(), to);
}

std::string Text(const base::Result<std::string>& result) { return result.ok() ? *result : "ERROR " + result.error().message(); }
base::Code CodeOf(const base::Result<std::string>& result) { return result.ok() ? base::Code::kInternal : result.error().code(); }

TEST(UsersEdit, RefusesWhatIsNotThereOrNotAllowed) {
  EXPECT_EQ(Text(RemoveUser("u", kUsers, "nobody")), "ERROR there is no user 'nobody' in u");
  EXPECT_EQ(CodeOf(SetPassword("u", kUsers, "BOSS", kHash)), base::Code::kNotFound);
  EXPECT_EQ(CodeOf(SetDisabled("u", kUsers, "", true)), base::Code::kNotFound);
  EXPECT_EQ(CodeOf(AddUser("u", kUsers, "ops", Role::kViewer, "")), base::Code::kAlreadyExists);
  for (const char* name : {"", "../a", "a b", "a\"\nrole = \"admin", "ä"}) {
    EXPECT_EQ(CodeOf(AddUser("u", kUsers, name, Role::kViewer, "")), base::Code::kInvalidArgument) << name;
  }
  // A hash that the loader would refuse is refused here.
  EXPECT_EQ(CodeOf(SetPassword("u", kUsers, "ops", "hunter2")), base::Code::kInvalidArgument);
  EXPECT_EQ(CodeOf(AddUser("u", kUsers, "new", Role::kViewer, "hunter2")), base::Code::kInvalidArgument);
  // A file that is broken is not touched.
  EXPECT_EQ(Text(AddUser("u", kFile, "new", Role::kViewer, "")).substr(0, 11), "ERROR u:12:");
}

TEST(UsersEdit, AnAdminIsLeft) {
  EXPECT_EQ(CodeOf(RemoveUser("u", kUsers, "boss")), base::Code::kFailedPrecondition);
  EXPECT_EQ(CodeOf(SetDisabled("u", kUsers, "boss", true)), base::Code::kFailedPrecondition);
  const auto two = AddUser("u", kUsers, "second", Role::kAdmin, "");
  ASSERT_TRUE(two.ok());
  EXPECT_TRUE(RemoveUser("u", *two, "boss").ok());
  // A file without any is not made worse.
  EXPECT_TRUE(AddUser("u", "", "first", Role::kViewer, "").ok());
}

TEST(UsersEdit, ANewOneComesLast) {
  EXPECT_EQ(Text(AddUser("u", kUsers, "new.one", Role::kViewer, "")),
            kUsers + "\n[[user]]\nname = \"new.one\"\nrole = \"viewer\"\n");
  EXPECT_EQ(Text(AddUser("u", "", "a", Role::kOperator, kHash)),
            "[[user]]\nname = \"a\"\nrole = \"operator\"\npassword = \"" + kHash + "\"\n");
  EXPECT_EQ(Text(AddUser("u", "# none yet", "a", Role::kAdmin, "")), "# none yet\n\n[[user]]\nname = \"a\"\nrole = \"admin\"\n");
  EXPECT_EQ(Text(AddUser("u", "# dos\r\n", "a", Role::kAdmin, "")),
            "# dos\r\n\r\n[[user]]\r\nname = \"a\"\r\nrole = \"admin\"\r\n");
}

TEST(UsersEdit, APasswordIsReplacedOrPutBehindTheName) {
  EXPECT_EQ(Text(SetPassword("u", kUsers, "dev", kHash)), With(kUsers, "t=3", "t=2"));
  EXPECT_EQ(Text(SetPassword("u", kUsers, "ops", kHash)), With(kUsers, "# ümlaut\n", "# ümlaut\n  password = \"" + kHash + "\"\n"));
  EXPECT_EQ(Text(SetPassword("u", "[[user]]\nrole='admin'\nname='a'", "a", kHash)),
            "[[user]]\nrole='admin'\nname='a'\npassword = \"" + kHash + "\"\n");
  EXPECT_EQ(Text(SetPassword("u", "[[user]]\r\nname='a'\r\nrole='admin'\r\n", "a", kHash)),
            "[[user]]\r\nname='a'\r\npassword = \"" + kHash + "\"\r\nrole='admin'\r\n");
}

TEST(UsersEdit, DisabledIsSetAndTakenBack) {
  EXPECT_EQ(Text(SetDisabled("u", kUsers, "dev", true)), kUsers);
  EXPECT_EQ(Text(SetDisabled("u", kUsers, "ops", false)), kUsers);
  EXPECT_EQ(Text(SetDisabled("u", kUsers, "dev", false)), With(kUsers, "disabled = true", "disabled = false"));
  EXPECT_EQ(Text(SetDisabled("u", kUsers, "ops", true)), With(kUsers, "# ümlaut\n", "# ümlaut\n  disabled = true\n"));
}

TEST(UsersEdit, WhoIsRemovedTakesNothingElseAway) {
  EXPECT_EQ(Text(RemoveUser("u", kUsers, "dev")),
            With(kUsers,
                 kUsers.substr(kUsers.find("[[user]]\nname = \"dev\""),
                               kUsers.find("[role.operator]") - kUsers.find("[[user]]\nname = \"dev\"")),
                 ""));
  const size_t begin = kUsers.find("[[user]] # ä");
  EXPECT_EQ(Text(RemoveUser("u", kUsers, "ops")),
            With(kUsers, kUsers.substr(begin, kUsers.find("# Before the third.") - begin), ""));
  EXPECT_EQ(Text(RemoveUser("u", "# head\n\n[[user]]\nname='a'\nrole='viewer'\n", "a")), "# head\n");
  EXPECT_EQ(Text(RemoveUser("u", "[[user]]\nname='a'\nrole='viewer'", "a")), "");
}

TEST(UsersEdit, AddedAndRemovedIsAsBefore) {
  const auto added = AddUser("u", kUsers, "new", Role::kOperator, kHash);
  ASSERT_TRUE(added.ok());
  EXPECT_EQ(Text(RemoveUser("u", *added, "new")), kUsers);
}

TEST(UsersEdit, InlineTablesAreChangedButNotRemoved) {
  const std::string text = "user = [ { name = \"ä\\u0062\", role = 'admin' }, ]\n";
  EXPECT_FALSE(SetDisabled("u", text, "b", true).ok());
  const std::string list = "user = [ # ö\n { name = 'a', role = 'admin' }, { role = 'viewer', name = 'b' } ] # ü\n";
  EXPECT_EQ(Text(SetPassword("u", list, "b", kHash)), With(list, "'b'", "'b', password = \"" + kHash + "\""));
  EXPECT_EQ(CodeOf(RemoveUser("u", list, "b")), base::Code::kFailedPrecondition);
  EXPECT_EQ(CodeOf(AddUser("u", list, "c", Role::kViewer, "")), base::Code::kFailedPrecondition);
}

TEST(UsersEdit, AnEntryInTwoPlacesIsLeftToAnEditor) {
  const std::string text =
      "[[user]]\nname='b'\nrole='admin'\n[[user]]\nname='a'\nrole='viewer'\n[role.viewer]\nmax_pids=7\n[user.retention]\nmax_"
      "batches=3\n";
  EXPECT_EQ(Text(RemoveUser("u", text, "a")),
            "ERROR u has this entry written in a way that can't be changed by a command: change it with an editor");
  EXPECT_TRUE(SetDisabled("u", text, "a", true).ok());
}

}  // namespace
}  // namespace jobd::config
