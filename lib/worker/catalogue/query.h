// The reading requests: rows of the store with what is known of live jobs laid over them.
#pragma once

#include <vector>

#include "base/result.h"
#include "base/token_signer.h"
#include "worker/model/page.h"
#include "worker/store/readers.h"
#include "worker/watch/live_overlay.h"

namespace jobd::worker {

// Lays what is live over one job, and over a batch's counts. `live` is from before the rows were read.
void Overlay(const std::map<uint32_t, LiveView>& live, JobView& job);
base::Status OverlayCounts(CatalogueReader& reader, const std::map<uint32_t, LiveView>& live, BatchView& batch);

base::Result<JobPage> QueryBatch(CatalogueReader& reader, const LiveOverlay& live, const base::TokenSigner& signer,
                                 const JobQuery& query);
base::Result<BatchPage> QueryBatches(CatalogueReader& reader, const LiveOverlay& live, const base::TokenSigner& signer,
                                     const BatchQuery& query);

}  // namespace jobd::worker
