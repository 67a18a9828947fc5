// Users and hosts for tests.
#pragma once

#include <string>

#include "auth/password.h"

namespace jobd::server::testing {

// The password of all users who have one.
inline constexpr const char* kPassword = "correct horse battery";

// The least that is accepted, so that tests do not wait.
inline const auth::HashCost kCheap = auth::kLeastHashCost;

inline std::string HashOf(const std::string& password) {
  static const auto hasher = *auth::PasswordHasher::Create({.cost = kCheap});
  return *hasher->Hash(password);
}

// An admin, a viewer and three operators; one who is disabled, and one without a password. Hosts: "web", which lets everybody in
// as operator at most, and "kiosk", which lets in two, as viewers.
inline std::string UsersText() {
  static const std::string hash = HashOf(kPassword);
  std::string text;
  const auto add = [&](const std::string& name, const std::string& role, const std::string& more) {
    text += "[[user]]\nname = \"" + name + "\"\nrole = \"" + role + "\"\n" + more;
  };
  const std::string password = "password = \"" + hash + "\"\n";
  add("admin", "admin", password);
  for (const char* name : {"operator", "operator2", "operator3"}) add(name, "operator", password);
  add("viewer", "viewer", password);
  add("gone", "operator", password + "disabled = true\n");
  add("keyless", "operator", "");
  text += "[[host]]\nname = \"web\"\nmax_role = \"operator\"\n";
  text += "[[host]]\nname = \"kiosk\"\nmax_role = \"viewer\"\nusers = [\"operator\", \"admin\"]\n";
  text += "[[host]]\nname = \"root\"\nmax_role = \"admin\"\n";
  return text;
}

}  // namespace jobd::server::testing
