#include "server/rpc/stream_registry.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <thread>
#include <vector>

namespace jobd::server {
namespace {

// Says when it was looked at for the first time.
class Looked final : public LiveCall {
 public:
  void Recheck() override {
    if (!done_) said_.set_value();
    done_ = true;
  }
  void End(const base::Error&) override {}
  void Abort() override {}
  bool Within(std::chrono::seconds patience) { return said_.get_future().wait_for(patience) == std::future_status::ready; }

 private:
  bool done_ = false;
  std::promise<void> said_;
};

TEST(StreamRegistryTest, ACallIsLookedAtAlsoWhenThoseBeforeItWereGoneAtOnce) {
  // Many at once, for whether the thread looks between the coming and the going of a call is chance.
  constexpr int kRegistries = 64;
  std::vector<std::unique_ptr<StreamRegistry>> registries;
  std::vector<std::shared_ptr<Looked>> lasting;
  std::vector<StreamRegistry::Registration> registrations;
  const auto brief = std::make_shared<Looked>();
  for (int i = 0; i < kRegistries; ++i) registries.push_back(std::make_unique<StreamRegistry>());
  for (const auto& registry : registries) {
    { const auto gone = registry->Add(brief); }
    std::this_thread::yield();
    lasting.push_back(std::make_shared<Looked>());
    registrations.push_back(registry->Add(lasting.back()));
  }
  for (const auto& call : lasting) EXPECT_TRUE(call->Within(std::chrono::seconds(30)));
}

}  // namespace
}  // namespace jobd::server
