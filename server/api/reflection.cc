// gRPC's reflection: the protos of this program, for tools that ask for them.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <set>
#include <vector>

#include "server/api/handlers.h"
#include "server/auth/access_table.h"

namespace jobd::server::handlers {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using grpc::reflection::v1alpha::ServerReflectionRequest;
using grpc::reflection::v1alpha::ServerReflectionResponse;

// gRPC's numbers, which the protocol uses whatever carries it.
constexpr int kInvalidArgument = 3;
constexpr int kNotFound = 5;

void SetError(ServerReflectionResponse& out, int code, const char* text) {
  out.mutable_error_response()->set_error_code(code);
  out.mutable_error_response()->set_error_message(text);
}

void AddFile(const FileDescriptor& file, std::set<const FileDescriptor*>& added, ServerReflectionResponse& out) {
  if (!added.insert(&file).second) return;
  google::protobuf::FileDescriptorProto proto;
  file.CopyTo(&proto);
  proto.SerializeToString(out.mutable_file_descriptor_response()->add_file_descriptor_proto());
  for (int i = 0; i < file.dependency_count(); ++i) AddFile(*file.dependency(i), added, out);
}

class Reflection final : public DialogueOf<ServerReflectionRequest, ServerReflectionResponse> {
 private:
  base::Status AnswerTyped(const ServerReflectionRequest& in, ServerReflectionResponse& out) override {
    out.set_valid_host(in.host());
    *out.mutable_original_request() = in;
    switch (in.message_request_case()) {
      case ServerReflectionRequest::kFileByFilename: SetFile(pool_.FindFileByName(in.file_by_filename()), out); break;
      case ServerReflectionRequest::kFileContainingSymbol:
        SetFile(pool_.FindFileContainingSymbol(in.file_containing_symbol()), out);
        break;
      case ServerReflectionRequest::kFileContainingExtension: {
        const auto& asked = in.file_containing_extension();
        const Descriptor* const type = pool_.FindMessageTypeByName(asked.containing_type());
        const FieldDescriptor* const field =
            type == nullptr ? nullptr : pool_.FindExtensionByNumber(type, asked.extension_number());
        SetFile(field == nullptr ? nullptr : field->file(), out);
        break;
      }
      case ServerReflectionRequest::kAllExtensionNumbersOfType: SetExtensions(in.all_extension_numbers_of_type(), out); break;
      case ServerReflectionRequest::kListServices: SetServices(out); break;
      case ServerReflectionRequest::MESSAGE_REQUEST_NOT_SET: SetError(out, kInvalidArgument, "nothing is asked for"); break;
    }
    return base::Ok();
  }

  static void SetFile(const FileDescriptor* file, ServerReflectionResponse& out) {
    if (file == nullptr) return SetError(out, kNotFound, "not found");
    std::set<const FileDescriptor*> added;
    AddFile(*file, added, out);
  }

  void SetExtensions(const std::string& name, ServerReflectionResponse& out) const {
    const Descriptor* const type = pool_.FindMessageTypeByName(name);
    if (type == nullptr) return SetError(out, kNotFound, "not found");
    std::vector<const FieldDescriptor*> extensions;
    pool_.FindAllExtensions(type, &extensions);
    auto& answer = *out.mutable_all_extension_numbers_response();
    answer.set_base_type_name(name);
    for (const FieldDescriptor* extension : extensions) answer.add_extension_number(extension->number());
  }

  static void SetServices(ServerReflectionResponse& out) {
    std::set<std::string_view> names;
    for (const MethodRule& rule : MethodRules()) names.insert(rule.method.substr(1, rule.method.rfind('/') - 1));
    for (const std::string_view name : names) out.mutable_list_services_response()->add_service()->set_name(std::string(name));
  }

  const DescriptorPool& pool_ = *DescriptorPool::generated_pool();
};

}  // namespace

std::unique_ptr<DialogueOf<ServerReflectionRequest, ServerReflectionResponse>> ServerReflectionInfo(const Api& /*api*/,
                                                                                                    CallContext& /*call*/) {
  return std::make_unique<Reflection>();
}

}  // namespace jobd::server::handlers
