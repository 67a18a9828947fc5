// What may be asked of gRPC in which state: all states there are, walked through.
#include "server/grpc/call_state.h"

#include <gtest/gtest.h>

#include <deque>
#include <set>
#include <string>
#include <vector>

namespace jobd::server {
namespace {

using enum CallState::Ask;
using Ask = CallState::Ask;

// gRPC 1.51's own rules, read from its sources (server_callback_handlers.h and call.cc) and written down apart from CallState: what
// would abort the process, or touch what is gone.
struct Grpc {
  bool headers_asked = false;
  bool headers_out = false;
  bool reading = false;
  bool writing = false;
  bool finished = false;
  auto operator<=>(const Grpc&) const = default;

  // Why it would be the end of the process; empty: it is not.
  std::string Take(Ask ask) {
    if (finished) return "asked of a call that is finished";
    switch (ask) {
      case kHeaders:
        if (headers_asked) return "headers twice";
        headers_asked = headers_out = true;
        return "";
      case kRead:
        if (reading) return "two reads";
        reading = true;
        return "";
      case kWrite:
        if (writing) return "two writes";
        writing = headers_asked = true;
        return "";
      case kFinish:
        if (writing) return "finished while a write is under way";
        finished = headers_asked = true;
        return "";
      case kCancel: return "";
    }
    return "no such thing";
  }
};

// Everything about one call: our state, gRPC's, and what the one asking thread is about to ask. Between Next and the call into gRPC
// anything may happen on other threads.
struct World {
  CallState ours;
  Grpc grpc;
  int about_to_ask = -1;
  bool in_grpc = false;
  auto operator<=>(const World&) const = default;
};

// Each world that one step of some thread leads to. `broken` is set where gRPC would end the process.
std::vector<World> Steps(const World& world, std::string& broken) {
  std::vector<World> next;
  for (const Ask ask : {kHeaders, kRead, kWrite, kFinish, kCancel}) {
    World after = world;
    after.ours.Wish(ask);
    next.push_back(after);
  }
  {
    World after = world;
    if (const auto ask = after.ours.Next()) {
      if (world.about_to_ask != -1 || world.in_grpc) broken = "two threads ask at once";
      after.about_to_ask = static_cast<int>(*ask);
      next.push_back(after);
    }
  }
  if (world.about_to_ask != -1) {
    World after = world;
    if (const std::string why = after.grpc.Take(static_cast<Ask>(world.about_to_ask)); !why.empty()) broken = why;
    after.about_to_ask = -1;
    after.in_grpc = true;
    next.push_back(after);
  }
  if (world.in_grpc) {
    World after = world;
    after.in_grpc = false;
    after.ours.Asked();
    next.push_back(after);
  }
  if (world.grpc.headers_out) {
    World after = world;
    after.grpc.headers_out = false;
    after.ours.OnHeaders();
    next.push_back(after);
  }
  if (world.grpc.reading) {
    for (const bool ok : {true, false}) {
      World after = world;
      after.grpc.reading = false;
      after.ours.OnRead(ok);
      next.push_back(after);
    }
  }
  if (world.grpc.writing) {
    World after = world;
    after.grpc.writing = false;
    after.ours.OnWritten();
    next.push_back(after);
  }
  return next;
}

std::set<World> AllWorlds(std::string& broken) {
  std::set<World> seen = {World{}};
  std::deque<World> todo = {World{}};
  while (!todo.empty() && broken.empty()) {
    const World world = todo.front();
    todo.pop_front();
    for (const World& after : Steps(world, broken)) {
      if (seen.insert(after).second) todo.push_back(after);
    }
  }
  return seen;
}

TEST(CallState, FaultD1NoOrderOfEventsAsksForWhatWouldEndTheProcess) {
  std::string broken;
  const auto worlds = AllWorlds(broken);
  EXPECT_EQ(broken, "");
  EXPECT_GT(worlds.size(), 500u) << "or the walk went nowhere";
}

// What was wished for comes, whatever came before: gRPC tells of everything in the end, and then the call is finished.
TEST(CallState, AWishToFinishIsGrantedFromEveryState) {
  std::string broken;
  for (World world : AllWorlds(broken)) {
    world.ours.Wish(kFinish);
    for (int i = 0; i < 20 && !world.grpc.finished; ++i) {
      if (world.about_to_ask != -1) {
        ASSERT_EQ(world.grpc.Take(static_cast<Ask>(world.about_to_ask)), "");
        world.about_to_ask = -1;
        world.in_grpc = true;
      }
      if (world.in_grpc) {
        world.in_grpc = false;
        world.ours.Asked();
      }
      if (world.grpc.writing) {
        world.grpc.writing = false;
        world.ours.OnWritten();
      }
      if (const auto ask = world.ours.Next()) world.about_to_ask = static_cast<int>(*ask);
    }
    ASSERT_TRUE(world.grpc.finished);
  }
}

TEST(CallState, AWriteThatWasWishedForComesBeforeTheFinish) {
  CallState state;
  state.Wish(kWrite);
  state.Wish(kFinish);
  EXPECT_EQ(state.Next(), kWrite);
  state.Asked();
  EXPECT_EQ(state.Next(), std::nullopt);
  state.OnWritten();
  EXPECT_EQ(state.Next(), kFinish);
}

TEST(CallState, OneThreadAsksAndSeesToWhatOthersWish) {
  CallState state;
  state.Wish(kRead);
  EXPECT_EQ(state.Next(), kRead);
  state.Wish(kFinish);
  EXPECT_EQ(state.Next(), std::nullopt) << "another thread is asking";
  state.Asked();
  EXPECT_EQ(state.Next(), kFinish) << "though the read is with gRPC";
  state.Asked();
  state.Wish(kCancel);
  state.OnRead(false);
  state.Wish(kRead);
  EXPECT_EQ(state.Next(), std::nullopt);
}

TEST(CallState, ASlowClientCanBeCutOff) {
  CallState state;
  state.Wish(kWrite);
  EXPECT_EQ(state.Next(), kWrite);
  state.Asked();
  state.Wish(kFinish);
  EXPECT_EQ(state.Next(), std::nullopt);
  state.Wish(kCancel);
  EXPECT_EQ(state.Next(), kCancel);
}

}  // namespace
}  // namespace jobd::server
