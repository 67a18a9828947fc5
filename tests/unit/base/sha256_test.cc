#include "base/sha256.h"

#include <gtest/gtest.h>

#include <string>

#include "base/text.h"

namespace jobd::base {
namespace {

// The examples of FIPS 180-4.
TEST(Sha256Test, IsTheStandards) {
  EXPECT_EQ(Hex(Sha256Of("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Hex(Sha256Of("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Hex(Sha256Of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Sha256Test, PiecesAreAsOne) {
  Sha256 pieces;
  for (const char* piece : {"a", "", "bc"}) pieces.Add(piece);
  EXPECT_EQ(pieces.Take(), Sha256Of("abc"));
  Sha256 nul;
  nul.Add(std::string_view("\0", 1));
  EXPECT_NE(nul.Take(), Sha256Of(""));
}

}  // namespace
}  // namespace jobd::base
