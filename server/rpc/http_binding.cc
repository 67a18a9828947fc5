#include "server/rpc/http_binding.h"

#include "google/api/annotations.pb.h"
#include "google/api/http.pb.h"

namespace jobd::server {
namespace {

using google::api::HttpRule;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using Segment = HttpBinding::Segment;

base::Error BadTemplate(std::string_view text, const char* why) {
  return {base::Code::kInvalidArgument, "the path template \"" + std::string(text) + "\" " + why};
}

// Up to the next of `ends`, which stays.
std::string_view Cut(std::string_view& text, std::string_view ends) {
  const std::string_view part = text.substr(0, text.find_first_of(ends));
  text.remove_prefix(part.size());
  return part;
}

Segment SegmentOf(std::string_view text, std::string_view variable) {
  const auto kind = text == "*" ? Segment::Kind::kOne : text == "**" ? Segment::Kind::kRest : Segment::Kind::kLiteral;
  return {.kind = kind, .literal = std::string(kind == Segment::Kind::kLiteral ? text : ""), .variable = std::string(variable)};
}

// Behind the brace: "name}" or "name=segment/segment}".
base::Status ParseVariable(std::string_view whole, std::string_view& rest, std::vector<Segment>& segments) {
  const std::string_view variable = Cut(rest, "=}/{");
  if (variable.empty() || rest.empty()) return BadTemplate(whole, "has a variable without a name or an end");
  if (rest.front() == '}') {
    segments.push_back(SegmentOf("*", variable));
  } else {
    if (rest.front() != '=') return BadTemplate(whole, "has a variable within a variable");
    do {
      rest.remove_prefix(1);
      const std::string_view part = Cut(rest, "/{}");
      if (part.empty() || rest.empty() || rest.front() == '{')
        return BadTemplate(whole, "has a variable without a pattern or an end");
      segments.push_back(SegmentOf(part, variable));
    } while (rest.front() == '/');
  }
  rest.remove_prefix(1);
  return base::Ok();
}

// "batch.owner" in a message; nullptr when there is no such field.
const FieldDescriptor* FindField(const Descriptor& message, std::string_view path) {
  const Descriptor* within = &message;
  const FieldDescriptor* field = nullptr;
  while (within != nullptr) {
    const size_t dot = path.find('.');
    field = within->FindFieldByName(std::string(path.substr(0, dot)));
    if (field == nullptr || dot == std::string_view::npos) return field;
    if (field->is_repeated()) return nullptr;
    path.remove_prefix(dot + 1);
    within = field->message_type();
  }
  return nullptr;
}

base::Status SetVerbAndPath(const HttpRule& rule, HttpBinding& binding) {
  std::string path;
  switch (rule.pattern_case()) {
    case HttpRule::kGet: binding.verb = "GET", path = rule.get(); break;
    case HttpRule::kPut: binding.verb = "PUT", path = rule.put(); break;
    case HttpRule::kPost: binding.verb = "POST", path = rule.post(); break;
    case HttpRule::kDelete: binding.verb = "DELETE", path = rule.delete_(); break;
    case HttpRule::kPatch: binding.verb = "PATCH", path = rule.patch(); break;
    case HttpRule::kCustom: binding.verb = rule.custom().kind(), path = rule.custom().path(); break;
    case HttpRule::PATTERN_NOT_SET: return base::Error(base::Code::kInvalidArgument, "no path is given");
  }
  JOBD_ASSIGN_OR_RETURN(HttpBinding parsed, ParsePathTemplate(path));
  binding.segments = std::move(parsed.segments);
  binding.custom_verb = std::move(parsed.custom_verb);
  return base::Ok();
}

base::Status CheckFields(const google::protobuf::MethodDescriptor& method, const HttpBinding& binding) {
  const auto unknown = [](const std::string& name) {
    return base::Error(base::Code::kInvalidArgument, "there is no field \"" + name + "\" that it could fill");
  };
  for (const Segment& segment : binding.segments) {
    if (segment.variable.empty()) continue;
    const FieldDescriptor* const field = FindField(*method.input_type(), segment.variable);
    const bool scalar = field != nullptr && !field->is_repeated() && field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE;
    if (!scalar) return unknown(segment.variable);
  }
  const auto has = [](const Descriptor& message, const std::string& field) { return message.FindFieldByName(field) != nullptr; };
  if (!binding.body.empty() && binding.body != "*" && !has(*method.input_type(), binding.body)) return unknown(binding.body);
  if (!binding.response_body.empty() && !has(*method.output_type(), binding.response_body)) return unknown(binding.response_body);
  return base::Ok();
}

base::Status Add(const google::protobuf::MethodDescriptor& method, const HttpRule& rule, std::vector<HttpBinding>& bindings) {
  HttpBinding binding;
  base::Status good = SetVerbAndPath(rule, binding);
  binding.body = rule.body();
  binding.response_body = rule.response_body();
  if (good.ok()) good = CheckFields(method, binding);
  if (!good.ok())
    return base::Error(base::Code::kInternal, "the HTTP binding of " + method.full_name() + ": " + good.error().message());
  bindings.push_back(std::move(binding));
  for (const HttpRule& additional : rule.additional_bindings()) JOBD_RETURN_IF_ERROR(Add(method, additional, bindings));
  return base::Ok();
}

}  // namespace

std::string HttpBinding::Route() const {
  std::string route = verb + " ";
  for (const Segment& segment : segments) {
    route += '/';
    route += segment.kind == Segment::Kind::kLiteral ? segment.literal : segment.kind == Segment::Kind::kOne ? "*" : "**";
  }
  if (!custom_verb.empty()) route += ":" + custom_verb;
  return route;
}

base::Result<std::vector<HttpBinding>> HttpBindingsOf(const google::protobuf::MethodDescriptor& method) {
  std::vector<HttpBinding> bindings;
  if (method.options().HasExtension(google::api::http)) {
    JOBD_RETURN_IF_ERROR(Add(method, method.options().GetExtension(google::api::http), bindings));
  }
  return bindings;
}

base::Result<HttpBinding> ParsePathTemplate(std::string_view text) {
  HttpBinding binding;
  std::string_view rest = text;
  if (rest.empty() || rest.front() != '/') return BadTemplate(text, "does not begin with a slash");
  while (!rest.empty() && rest.front() == '/') {
    rest.remove_prefix(1);
    if (!rest.empty() && rest.front() == '{') {
      rest.remove_prefix(1);
      JOBD_RETURN_IF_ERROR(ParseVariable(text, rest, binding.segments));
      continue;
    }
    const std::string_view part = Cut(rest, "/{}:");
    if (part.empty()) return BadTemplate(text, "has an empty part");
    binding.segments.push_back(SegmentOf(part, ""));
  }
  if (!rest.empty() && rest.front() == ':') {
    rest.remove_prefix(1);
    const std::string_view verb = Cut(rest, "/{}:*");
    if (verb.empty()) return BadTemplate(text, "has an empty verb");
    binding.custom_verb = verb;
  }
  if (!rest.empty()) return BadTemplate(text, "goes on where it should end");
  for (size_t i = 0; i + 1 < binding.segments.size(); ++i) {
    if (binding.segments[i].kind == Segment::Kind::kRest) return BadTemplate(text, "has ** before its end");
  }
  return binding;
}

}  // namespace jobd::server
