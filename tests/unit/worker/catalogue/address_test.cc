// Every form of an address, what it means when it could be several, and what is refused.
#include "worker/catalogue/address.h"

#include <gtest/gtest.h>

#include "tests/unit/worker/worker_fixture.h"

namespace jobd::worker {
namespace {

class AddressTest : public WorkerTest {
 protected:
  void SetUp() override { ASSERT_TRUE(Open().ok()); }
  void Add(const std::string& id, const std::string& name = "", std::vector<std::string> jobs = {""},
           const std::string& owner = "ann") {
    std::vector<JobSpec> specs;
    for (const std::string& job : jobs) specs.push_back({.argv = {"true"}, .name = job});
    const auto receipt = Submit(id, std::move(specs), {.name = name, .hold = true}, owner);
    ASSERT_TRUE(receipt.ok()) << receipt.error().message();
  }
  // "ID" or "ID/INDEX", or the refusal.
  std::string Find(const std::string& address, const std::string& owner = "ann") {
    const auto target = worker_->Resolve(owner, address);
    if (!target.ok()) return std::string(base::CodeName(target.error().code())) + ": " + target.error().message();
    EXPECT_EQ(target->batch.owner, owner);
    return target->batch.correlation_id + (target->index ? "/" + std::to_string(*target->index) : "");
  }
  static constexpr const char* kNone = "NOT_FOUND: no such batch";
};

TEST_F(AddressTest, FaultC3EveryFormAndTheJobBehindIt) {
  Add("first", "nightly", {"headers", "build"});
  Add("second", "nightly", {"headers", "test", "headers"});
  Add("third");
  EXPECT_EQ(Find("first"), "first");
  EXPECT_EQ(Find("first/2"), "first/2");
  EXPECT_EQ(Find("first/build"), "first/2");
  EXPECT_EQ(Find("fi"), "first");
  EXPECT_EQ(Find("fi/headers"), "first/1");
  EXPECT_EQ(Find("nightly"), "second") << "the newest of that name";
  EXPECT_EQ(Find("nightly/test"), "second/2");
  EXPECT_EQ(Find("1"), "first");
  EXPECT_EQ(Find("3"), "third");
  EXPECT_EQ(Find("2/3"), "second/3");
  EXPECT_EQ(Find("last"), "third");
  EXPECT_EQ(Find("last~0"), "third");
  EXPECT_EQ(Find("last~2"), "first");
  EXPECT_EQ(Find("last~1/test"), "second/2");
}

TEST_F(AddressTest, WhatThereIsNot) {
  EXPECT_EQ(Find("last"), kNone);
  EXPECT_EQ(Find("1"), kNone);
  Add("first", "", {"a"});
  for (const char* address : {"second", "last~1", "0", "2", "01", "18446744073709551616", "last~", "last~x",
                              "last~18446744073709551615", "FIRST", "irst", "first~1"}) {
    EXPECT_EQ(Find(address), kNone) << address;
  }
  for (const char* address : {"first/", "first/2", "first/b", "first/a/b", "last/4294967297"}) {
    EXPECT_EQ(Find(address), "NOT_FOUND: no such job") << address;
  }
  EXPECT_EQ(Find("first/0"), "INVALID_ARGUMENT: jobs are counted from 1");
}

TEST_F(AddressTest, WhatIsNoAddress) {
  Add("first");
  for (const std::string& address : {std::string(), std::string(514, 'a'), std::string("a\xff")}) {
    EXPECT_EQ(worker_->Resolve("ann", address).error().code(), base::Code::kInvalidArgument) << address;
  }
}

TEST_F(AddressTest, FaultA11AnExactIdWinsOverANumberAndAName) {
  Add("2", "", {"of the ID"});
  Add("second", "2");
  Add("third", "second");
  EXPECT_EQ(Find("2"), "2");
  EXPECT_EQ(Find("second"), "second");
  EXPECT_EQ(Find("1"), "2") << "by its number";
}

TEST_F(AddressTest, FaultA11ANumberWinsOverANameAndThatOverABeginning) {
  Add("first", "2");
  Add("2b");
  EXPECT_EQ(Find("2"), "2b") << "by its number";
  Add("nightly-1", "", {"", ""});
  Add("other", "nightly");
  EXPECT_EQ(Find("nightly"), "other");
  EXPECT_EQ(Find("nightly-"), "nightly-1");
  EXPECT_EQ(Find("nightly/1"), "other/1");
  EXPECT_EQ(Find("nightly/2"), "NOT_FOUND: no such job") << "it does not become another batch's";
}

// As an earlier version took them.
TEST_F(AddressTest, FaultA11NoIdHidesTheNewest) {
  Add("last");
  Add("b", "last~1");
  Add("c");
  EXPECT_EQ(Find("last"), "c");
  EXPECT_EQ(Find("last~1"), "b");
  EXPECT_EQ(Find("las"), "last") << "by its beginning";
}

TEST_F(AddressTest, FaultC3AnAmbiguousBeginningNamesTheFirstFew) {
  for (const char* id : {"n-1", "n-2", "n-3"}) Add(id);
  EXPECT_EQ(Find("n"), "INVALID_ARGUMENT: several batches begin so: n-1, n-2, n-3");
  EXPECT_EQ(Find("n/1"), "INVALID_ARGUMENT: several batches begin so: n-1, n-2, n-3");
  Add("n-4");
  EXPECT_EQ(Find("n-"), "INVALID_ARGUMENT: several batches begin so: n-1, n-2, n-3 and others");
  EXPECT_EQ(Find("n-4"), "n-4");
}

TEST_F(AddressTest, JobsOfTheSameName) {
  Add("first", "", {"a", "b", "b", "3", "1"});
  EXPECT_EQ(worker_->Resolve("ann", "first/b").error().violations().at(0).problem,
            "several jobs of the batch have this name: 2, 3");
  EXPECT_EQ(Find("first/3"), "first/3") << "an index wins over a name";
  Add("second", "", {"7", "x"});
  EXPECT_EQ(Find("second/7"), "second/1") << "where there is no such index";
}

TEST_F(AddressTest, NamesWithSlashesAndBlanks) {
  Add("etl-1");
  Add("etl-2");
  Add("x", "etl/daily", {"load/all"});
  Add("y", "my batch");
  EXPECT_EQ(Find("etl/daily"), "x") << "though IDs begin with etl";
  EXPECT_EQ(Find("etl/daily/1"), "x/1");
  EXPECT_EQ(Find("etl/daily/load/all"), "x/1");
  EXPECT_EQ(Find("my batch/1"), "y/1");
}

TEST_F(AddressTest, FaultC3WhatIsOthersIsAsIfItWereNotThere) {
  Add("first", "nightly", {"a"}, "bob");
  Add("mine", "", {"a"}, "bob");
  for (const char* address : {"first", "fi", "nightly", "1", "last", "first/1"}) EXPECT_EQ(Find(address), kNone) << address;
  Add("own");
  EXPECT_EQ(Find("1"), "own") << "each owner counts from 1";
  EXPECT_EQ(Find("last", "bob"), "mine");
}

TEST_F(AddressTest, NumbersAreNeverGivenAgain) {
  for (const char* id : {"a", "b", "c"}) Add(id);
  ASSERT_TRUE(Cancel("c").ok());
  ASSERT_TRUE(Await<bool>([&](auto done) { worker_->Remove({"ann", "c"}, done); }).ok());
  ASSERT_TRUE(Cancel("a").ok());
  ASSERT_TRUE(Await<bool>([&](auto done) { worker_->Remove({"ann", "a"}, done); }).ok());
  EXPECT_EQ(Submit("b", Jobs(1)).error().code(), base::Code::kAlreadyExists) << "takes no number";
  Add("d");
  EXPECT_EQ(Find("4"), "d");
  EXPECT_EQ(Find("2"), "b");
  EXPECT_EQ(Find("1"), kNone);
  EXPECT_EQ(Find("3"), kNone);
  Restart();
  Add("e");
  EXPECT_EQ(Find("5"), "e");
}

}  // namespace
}  // namespace jobd::worker
