#include "config/users_check.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace jobd::config {
namespace {

std::vector<std::string> Warnings(const std::string& text, bool accounts = true) {
  const auto users = Users::Parse("users.toml", text);
  EXPECT_TRUE(users.ok()) << users.error().message();
  KnownNames known{.profiles = {"open", "standard", "strict"}, .has_account = nullptr};
  if (accounts) known.has_account = [](const std::string& name) { return name == "build"; };
  return users.ok() ? UnknownNames("users.toml", *users, known) : std::vector<std::string>();
}

TEST(UnknownNames, FaultC17ProfilesAndAccountsThatAreNotThere) {
  const std::string text =
      "[[user]]\nname = \"ann\"\nrole = \"operator\"\nprofiles = [\"standard\", \"strikt\"]\nrun_as = [\"build\", \"biuld\"]\n";
  EXPECT_EQ(Warnings(text),
            (std::vector<std::string>{"users.toml: profiles of ann: there is no profile 'strikt' (did you mean 'strict'?)",
                                      "users.toml: run_as of ann: there is no account 'biuld'"}));
  EXPECT_EQ(Warnings(text, false).size(), 1u);
}

TEST(UnknownNames, WhatARoleGivesIsSaidOnce) {
  std::string text = "[role.operator]\nprofiles = [\"gone\"]\n";
  for (const char* name : {"a", "b", "c", "d", "e", "f"})
    text += "[[user]]\nname = \"" + std::string(name) + "\"\nrole = \"operator\"\n";
  EXPECT_EQ(Warnings(text), std::vector<std::string>{"users.toml: profiles of a, b, c, d and 2 more: there is no profile 'gone'"});
}

TEST(UnknownNames, GuestsOfAHostWhoDoNotExist) {
  const std::string text =
      "[[user]]\nname = \"alice\"\nrole = \"operator\"\n[[host]]\nname = \"gate\"\nusers = [\"alice\", \"alcie\"]\n";
  EXPECT_EQ(Warnings(text),
            std::vector<std::string>{"users.toml: users of the host gate: there is no user 'alcie' (did you mean 'alice'?)"});
}

TEST(UnknownNames, FaultC17MisspeltKeysOfAUserAreRefused) {
  const auto error = [](const std::string& line) {
    const auto users = Users::Parse("u", "[[user]]\nname = \"a\"\nrole = \"viewer\"\n" + line + "\n");
    return users.ok() ? "OK" : users.error().message();
  };
  EXPECT_EQ(error("profile = [\"open\"]"), "u:4: unknown key 'profile' (did you mean 'profiles'?)");
  EXPECT_EQ(error("max_memroy = \"1G\""), "u:4: unknown key 'max_memroy' (did you mean 'max_memory'?)");
  EXPECT_EQ(error("retention = { max_agee = \"1d\" }"), "u:4: unknown key 'retention.max_agee' (did you mean 'max_age'?)");
  EXPECT_NE(error("retention = { max_age = 7 }").find("'7' needs a unit"), std::string::npos);
}

}  // namespace
}  // namespace jobd::config
