#include "worker/keep/retention.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <set>

namespace jobd::worker {
namespace {

constexpr uint32_t kReadAtOnce = 64;

uint64_t BytesOf(const BatchView& batch) { return static_cast<uint64_t>(std::max<int64_t>(batch.kept_bytes, 0)); }

// What an owner has, or all owners together.
struct Sum {
  uint64_t batches = 0;
  uint64_t bytes = 0;
  void Take(const BatchView& batch) {
    batches -= std::min<uint64_t>(batches, 1);
    bytes -= std::min(bytes, BytesOf(batch));
  }
  bool IsOver(const RetentionRule& rule) const {
    return (rule.max_batches != 0 && batches > rule.max_batches) || (rule.max_bytes != 0 && bytes > rule.max_bytes);
  }
};

// Calls `visit` with the ended batches of an owner, or of all (empty), the first to end first, until it says no.
base::Status InOrderOfEnd(RetentionReader& reader, const std::string& owner, const std::function<bool(const BatchView&)>& visit) {
  for (EndedPlace after;;) {
    JOBD_ASSIGN_OR_RETURN(const auto batches, reader.EndedBefore(owner, std::numeric_limits<int64_t>::max(), after, kReadAtOnce));
    for (const BatchView& batch : batches) {
      if (!visit(batch)) return base::Ok();
    }
    if (batches.size() < kReadAtOnce) return base::Ok();
    after = {.ended_at = batches.back().ended_at, .id = batches.back().id};
  }
}

}  // namespace

base::Result<Expired> FindExpired(RetentionReader& reader, const Retention& rules, const Excluded& excluded, base::Nanos now,
                                  size_t limit) {
  Expired expired;
  std::set<uint64_t> chosen;
  std::map<std::string, Sum> owners;
  JOBD_ASSIGN_OR_RETURN(const auto kept, reader.RetainedUsage());
  for (const OwnerUsage& usage : kept) owners[usage.owner] = {.batches = usage.batches, .bytes = usage.bytes};
  for (const auto& [id, batch] : excluded) owners[batch.name.owner].Take(batch);
  const auto choose = [&](const BatchView& batch, Sum& sum) {
    sum.Take(batch);
    chosen.insert(batch.id);
    expired.batches.push_back(batch);
  };

  Sum all;
  for (auto& [owner, own] : owners) {
    const auto found = rules.owners.find(owner);
    const RetentionRule rule = found != rules.owners.end() ? found->second : RetentionRule{.max_age = rules.all.max_age};
    const auto visit = [&](const BatchView& batch) {
      if (excluded.contains(batch.id)) return true;
      const base::Nanos expiry = batch.ended_at + rule.max_age;
      if ((rule.max_age == 0 || expiry > now) && !own.IsOver(rule)) {
        if (rule.max_age != 0) expired.next_expiry = std::min(expired.next_expiry.value_or(expiry), expiry);
        return false;
      }
      choose(batch, own);
      return expired.batches.size() < limit;
    };
    if (rule != RetentionRule{}) JOBD_RETURN_IF_ERROR(InOrderOfEnd(reader, owner, visit));
    if (expired.batches.size() >= limit) return expired;
    all.batches += own.batches;
    all.bytes += own.bytes;
  }
  if (all.IsOver(rules.all)) {
    JOBD_RETURN_IF_ERROR(InOrderOfEnd(reader, "", [&](const BatchView& batch) {
      if (excluded.contains(batch.id) || chosen.contains(batch.id)) return true;
      choose(batch, all);
      return all.IsOver(rules.all) && expired.batches.size() < limit;
    }));
  }
  return expired;
}

}  // namespace jobd::worker
