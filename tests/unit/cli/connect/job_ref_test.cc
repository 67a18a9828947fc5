#include "cli/connect/job_ref.h"

#include <gtest/gtest.h>

namespace jobd::cli {
namespace {

TEST(JobRefTest, RefusesWhatIsNoId) {
  for (const std::string text :
       {"", "/", "a/", "a/0", "a/-1", "a/x", "a/1/2", "a/4294967296", "../../etc/passwd", "-x", "a b", "a\n", "a/1 "}) {
    const auto ref = ParseJobRef(text, "");
    ASSERT_FALSE(ref.ok()) << text;
    EXPECT_EQ(ref.error().code(), base::Code::kInvalidArgument);
  }
}

TEST(JobRefTest, BatchOrJob) {
  EXPECT_EQ(*ParseJobRef("nightly-1", "me"), (JobRef{"nightly-1", std::nullopt, "me"}));
  EXPECT_EQ(*ParseJobRef("last/3", ""), (JobRef{"last", 3, ""}));
  EXPECT_EQ(ParseJobRef("x/4294967295", "")->ToString(), "x/4294967295");
  EXPECT_TRUE(IsWholeId("0192a1b2-0000-7000-8000-0123456789ab"));
  EXPECT_FALSE(IsWholeId("0192a1b2"));
  EXPECT_FALSE(IsWholeId("0192a1b2-0000-7000-8000-0123456789aB"));
}

}  // namespace
}  // namespace jobd::cli
