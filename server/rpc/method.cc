#include "server/rpc/method.h"

#include <algorithm>
#include <set>

namespace jobd::server {
namespace {

using google::protobuf::FileDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

base::Error Broken(const std::string& what) { return {base::Code::kInternal, "the method table: " + what}; }

std::vector<const MethodDescriptor*> MethodsOf(const std::vector<Handler>& handlers) {
  std::set<const FileDescriptor*> files;
  for (const Handler& handler : handlers) files.insert(handler.request->file());
  std::vector<const MethodDescriptor*> methods;
  for (const FileDescriptor* file : files) {
    for (int i = 0; i < file->service_count(); ++i) {
      const ServiceDescriptor* const service = file->service(i);
      for (int j = 0; j < service->method_count(); ++j) methods.push_back(service->method(j));
    }
  }
  return methods;
}

bool AnswersAsDescribed(const Handler& handler, const MethodDescriptor& method) {
  const bool sends = method.client_streaming();
  const bool receives = method.server_streaming();
  if (std::holds_alternative<DialogueHandler>(handler.serve)) return sends && receives;
  if (std::holds_alternative<UploadHandler>(handler.serve)) return sends && !receives;
  if (std::holds_alternative<StreamHandler>(handler.serve)) return !sends && receives;
  return !sends && !receives;
}

}  // namespace

base::Result<MethodTable> MethodTable::Build(std::span<const MethodRule> rules, std::vector<Handler> handlers) {
  MethodTable table;
  std::set<std::string> routes;
  for (const MethodDescriptor* descriptor : MethodsOf(handlers)) {
    auto method = std::make_unique<Method>();
    method->descriptor = descriptor;
    method->path = "/" + descriptor->service()->full_name() + "/" + descriptor->name();
    const auto has_its_types = [&](const Handler& handler) {
      return handler.request == descriptor->input_type() && handler.response == descriptor->output_type();
    };
    const auto serves = [&](const Handler& handler) { return has_its_types(handler) && AnswersAsDescribed(handler, *descriptor); };
    const auto handler = std::ranges::find_if(handlers, serves);
    if (handler == handlers.end()) {
      if (std::ranges::any_of(handlers, has_its_types)) return Broken(method->path + " is handled as another kind of call");
      return Broken(method->path + " has no handler");
    }
    method->handler = std::move(*handler);
    handlers.erase(handler);
    if (std::ranges::any_of(handlers, serves)) return Broken(method->path + " has two handlers");
    const auto rule = std::ranges::find(rules, method->path, &MethodRule::method);
    if (rule == rules.end()) return Broken(method->path + " has no rule");
    method->rule = &*rule;
    JOBD_ASSIGN_OR_RETURN(method->bindings, HttpBindingsOf(*descriptor));
    for (const HttpBinding& binding : method->bindings) {
      if (!routes.insert(binding.Route()).second)
        return Broken(method->path + " is bound to a route that is taken: " + binding.Route());
    }
    auto* const factory = google::protobuf::MessageFactory::generated_factory();
    method->request = factory->GetPrototype(descriptor->input_type());
    method->response = factory->GetPrototype(descriptor->output_type());
    method->shape = &table.shapes_.Of(*descriptor->input_type());
    std::string path = method->path;
    table.by_path_.emplace(std::move(path), std::move(method));
  }
  if (!handlers.empty()) return Broken("no method takes " + handlers.front().request->full_name());
  for (const MethodRule& rule : rules) {
    if (table.Find(rule.method) == nullptr) return Broken("no handler for the rule of " + std::string(rule.method));
  }
  return table;
}

const Method* MethodTable::Find(std::string_view path) const {
  const auto found = by_path_.find(path);
  return found == by_path_.end() ? nullptr : found->second.get();
}

}  // namespace jobd::server
