#include "server/api/handlers.h"

namespace jobd::server {

std::vector<Handler> Handlers(const Api& api) {
  using namespace handlers;
  std::vector<Handler> all;
  const auto serve = [&](auto... handler) { (all.push_back(Serve(api, handler)), ...); };
  serve(&Login, &Renew, &Logout, &WhoAmI);
  serve(&ExecuteJob, &SubmitBatch, &Cancel, &Signal, &Retry, &Hold, &Release, &RemoveBatch, &PruneBatches);
  serve(&GetBatch, &Resolve, &Explain, &ListBatches, &SearchJob, &StreamLogs, &WatchBatch);
  serve(&Start, &Stop, &Drain, &GetStatus, &Reload, &GetConfig);
  serve(&ListSessions, &EndSessions);
  serve(&Check, &Watch);
  serve(&ServerReflectionInfo);
  return all;
}

}  // namespace jobd::server
