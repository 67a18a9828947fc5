#include "server/api/handlers.h"

#include <utility>

#include "server/rpc/task_pool.h"

namespace jobd::server {
namespace {

namespace pb = google::protobuf;

// The field `address` of a message, or of its field `jobs`, has a '/': perhaps the name of a job, for which all jobs of the batch
// are looked through.
bool MayNameAJob(const Message& in) {
  const pb::FieldDescriptor* const address = in.GetDescriptor()->FindFieldByName("address");
  if (address != nullptr && !address->is_repeated() && address->cpp_type() == pb::FieldDescriptor::CPPTYPE_STRING) {
    std::string scratch;
    return in.GetReflection()->GetStringReference(in, address, &scratch).find('/') != std::string::npos;
  }
  const pb::FieldDescriptor* const jobs = in.GetDescriptor()->FindFieldByName("jobs");
  const bool single = jobs != nullptr && !jobs->is_repeated() && jobs->cpp_type() == pb::FieldDescriptor::CPPTYPE_MESSAGE;
  return single && MayNameAJob(in.GetReflection()->GetMessage(in, jobs));
}

// Has calls that may take as long as a batch is large served by a thread of ours: the transport's serve everybody.
void ServeAside(const Api& api, Handler& handler) {
  auto* const unary = std::get_if<UnaryHandler>(&handler.serve);
  if (unary == nullptr) return;
  *unary = [&api, serve = std::move(*unary)](CallContext& call, const Message& in, Message& out, Reply reply) {
    if (!MayNameAJob(in)) return serve(call, in, out, std::move(reply));
    api.tasks.Post([&serve, &call, &in, &out, reply = std::move(reply)] { serve(call, in, out, reply); });
  };
}

}  // namespace

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
  for (Handler& handler : all) ServeAside(api, handler);
  return all;
}

}  // namespace jobd::server
