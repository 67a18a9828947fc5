#include "sandbox/rules/profile.h"

#include <gtest/gtest.h>

namespace jobd::sandbox {
namespace {

std::string ErrorOf(std::string_view text) {
  const auto profiles = Profiles::Parse("p.toml", text);
  return profiles.ok() ? "" : profiles.error().message();
}

TEST(Profiles, RefusesWhatIsNoProfile) {
  EXPECT_EQ(ErrorOf("[other]\n"), "p.toml:1: expected [profile.NAME] sections only");
  EXPECT_EQ(ErrorOf("[profile.open]\nnetwork = true\n"), "p.toml:1: a built-in profile cannot be changed");
  EXPECT_EQ(ErrorOf("[profile.x]\ninherits = \"none\"\n"), "p.toml:2: inherits: no profile of that name stands before");
  EXPECT_EQ(ErrorOf("[profile.x]\ninherits = \"y\"\n[profile.y]\n"), "p.toml:2: inherits: no profile of that name stands before");
  EXPECT_EQ(ErrorOf("[profile.x]\nnetwork = 3\n"), "p.toml:2: network: must be true or false");
  EXPECT_EQ(ErrorOf("[profile.x]\nfilter = \"some\"\n"), "p.toml:2: filter: must be one of: none, standard, strict");
  EXPECT_EQ(ErrorOf("[profile.x]\nopen_files = -1\n"), "p.toml:2: open_files: must be a number that is not negative");
  EXPECT_EQ(ErrorOf("[profile.x]\ncolour = 1\n"), "p.toml:2: colour: unknown key");
  EXPECT_EQ(ErrorOf("[profile.x]\ninherits = \"open\"\nnetwork = false\n"),
            "p.toml:1: read_only, landlock and network = false need namespaces = true");
}

TEST(Profiles, InheritsInTheOrderOfTheFile) {
  const auto profiles = Profiles::Parse("p.toml", R"(
[profile.zebra]
inherits = "strict"
network = true
tmp_size = "64M"
[profile.ant]
inherits = "zebra"
open_files = 100
[profile.plain]
)");
  ASSERT_TRUE(profiles.ok()) << profiles.error().message();
  Profile expected = *Profiles::BuiltIn().Find("strict");
  expected.name = "ant";
  expected.network = true;
  expected.tmp_bytes = 64u << 20;
  expected.open_files = 100;
  ASSERT_NE(profiles->Find("ant"), nullptr);
  EXPECT_EQ(*profiles->Find("ant"), expected);
  Profile plain = *Profiles::BuiltIn().Find("standard");
  plain.name = "plain";
  EXPECT_EQ(*profiles->Find("plain"), plain) << "standard is what is inherited when nothing is said";
  EXPECT_EQ(profiles->Find("none"), nullptr);
}

TEST(Profiles, RefusesMoreThanTheServerCanBeTold) {
  std::string text;
  for (int i = 0; i < 201; ++i) text += "[profile.p" + std::to_string(i) + "]\n";
  EXPECT_FALSE(Profiles::Parse("f", text).ok());
}

}  // namespace
}  // namespace jobd::sandbox
