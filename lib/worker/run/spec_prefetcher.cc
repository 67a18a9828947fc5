#include "worker/run/spec_prefetcher.h"

#include <iterator>
#include <utility>

#include "worker/store/spec_codec.h"

namespace jobd::worker {
namespace {

base::Result<JobSpec> Decode(EncodedSpec encoded) {
  JOBD_ASSIGN_OR_RETURN(JobSpec spec, DecodeSpec(encoded.spec));
  spec.stdin_data = std::move(encoded.stdin_data);
  return spec;
}

}  // namespace

base::Result<JobSpec> SpecPrefetcher::Take(LiveReader& reader, uint64_t batch, uint32_t index, bool in_order) {
  if (const auto found = slices_.find(batch); found != slices_.end()) {
    Slice& slice = found->second;
    if (index >= slice.first && index - slice.first < slice.specs.size()) {
      while (slice.first < index) Pop(slice);  // passed over
      EncodedSpec encoded = Pop(slice);
      if (slice.specs.empty()) slices_.erase(found);
      return Decode(std::move(encoded));
    }
  }
  // One out of the order leaves what is in the order to those that will ask for it.
  if (!in_order) return reader.Spec(batch, index);
  Forget(batch);
  JOBD_ASSIGN_OR_RETURN(auto specs, reader.Specs(batch, index, bytes_ < kBytes ? kJobs : 1, kSliceBytes));
  EncodedSpec encoded = std::move(specs.front());
  if (specs.size() > 1) {
    for (auto next = std::next(specs.begin()); next != specs.end(); ++next) bytes_ += Size(*next);
    slices_[batch] = {.first = index + 1, .specs = {std::move_iterator(std::next(specs.begin())), std::move_iterator(specs.end())}};
  }
  return Decode(std::move(encoded));
}

void SpecPrefetcher::Forget(uint64_t batch) {
  const auto found = slices_.find(batch);
  if (found == slices_.end()) return;
  for (const EncodedSpec& spec : found->second.specs) bytes_ -= Size(spec);
  slices_.erase(found);
}

EncodedSpec SpecPrefetcher::Pop(Slice& slice) {
  EncodedSpec encoded = std::move(slice.specs.front());
  slice.specs.pop_front();
  ++slice.first;
  bytes_ -= Size(encoded);
  return encoded;
}

}  // namespace jobd::worker
