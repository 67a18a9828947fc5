// The methods of the API: what the descriptors, the table of rights and the handlers say of each, in one place. Transports find in
// it all they need to serve a call.
#pragma once

#include <google/protobuf/descriptor.h>

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "server/auth/access_table.h"
#include "server/rpc/handler.h"
#include "server/rpc/http_binding.h"
#include "server/rpc/message_shape.h"

namespace jobd::server {

struct Method {
  const google::protobuf::MethodDescriptor* descriptor = nullptr;
  std::string path;  // as in HTTP/2's :path, "/jobd.v1.AdminService/Start"
  const MethodRule* rule = nullptr;
  std::vector<HttpBinding> bindings;  // from google.api.http; empty: not to be had over HTTP/JSON
  Handler handler;
  const Message* request = nullptr;  // of these New() makes one
  const Message* response = nullptr;
  const MessageShape* shape = nullptr;  // of the request

  bool is_unary() const { return std::holds_alternative<UnaryHandler>(handler.serve); }
  bool is_stream() const { return std::holds_alternative<StreamHandler>(handler.serve); }
  bool is_upload() const { return std::holds_alternative<UploadHandler>(handler.serve); }
  bool is_dialogue() const { return std::holds_alternative<DialogueHandler>(handler.serve); }
};

// Immutable after Build, so safe to use from any thread. Methods keep their addresses as long as the table lives.
class MethodTable {
 public:
  // A handler belongs to the method that has its two message types and is answered in its way, among the services of the files that
  // define those messages. kInternal, for whoever builds this program, unless each method of these services has one handler, each
  // method has a rule, each rule has a method, and each HTTP binding names fields that exist and a route that no other has.
  static base::Result<MethodTable> Build(std::span<const MethodRule> rules, std::vector<Handler> handlers);

  // nullptr: there is no such method.
  const Method* Find(std::string_view path) const;
  const std::map<std::string, std::unique_ptr<const Method>, std::less<>>& by_path() const { return by_path_; }

 private:
  std::map<std::string, std::unique_ptr<const Method>, std::less<>> by_path_;
  MessageShapes shapes_;
};

}  // namespace jobd::server
