#include "cli/connect/session.h"

#include <nlohmann/json.hpp>

#include "cli/view/exit_code.h"
#include "cli/view/json_view.h"
#include "cli/view/table.h"
#include "cli/view/wrap.h"

namespace jobd::cli {

namespace {

// A message that begins with the name of a field, "jobs[3].profile: you may not use it", with its author's name instead.
std::string WithAuthorsName(const std::string& message, const Authored& authored) {
  const size_t colon = message.find(": ");
  const std::string_view field = std::string_view(message).substr(0, colon);
  const bool is_field = field.starts_with("jobs[") || field.starts_with("job.") || field.starts_with("options.");
  if (colon == std::string::npos || !is_field || field.find(' ') != std::string_view::npos) return message;
  return AuthorsName(field, authored) + message.substr(colon);
}

}  // namespace

Session::Session(GlobalOptions options, OutputFormat format, Environment env)
    : options_(std::move(options)), format_(format), env_(std::move(env)) {}

bool Session::Color(const OutputStream& stream) const {
  if (options_.no_color || !stream.is_terminal()) return false;
  const auto no_color = env_("NO_COLOR");
  return !(no_color && !no_color->empty()) && env_("TERM").value_or("") != "dumb";
}

base::Result<Client*> Session::Connect() {
  if (client_ == nullptr) {
    JOBD_ASSIGN_OR_RETURN(Connection connection, ResolveConnection(options_, env_));
    JOBD_ASSIGN_OR_RETURN(client_, MakeClient(std::move(connection)));
  }
  return client_.get();
}

base::Result<std::unique_ptr<Client>> Session::MakeClient(Connection connection) {
  const std::string limit = std::to_string(connection.connect_timeout / base::kNanosPerSecond);
  return Client::Create(std::move(connection),
                        [this, limit](const std::string& reason) { Say(reason + "; trying for " + limit + " s"); });
}

void Session::PrintJson(const nlohmann::ordered_json& document) {
  const int indent = format_ == OutputFormat::kJsonLines ? -1 : 2;
  // On a terminal everything beyond ASCII is escaped: JSON alone lets control and direction characters through.
  PrintLine(document.dump(indent, ' ', out_.is_terminal(), nlohmann::ordered_json::error_handler_t::replace));
}

void Session::PrintJsonLine(const nlohmann::ordered_json& document) {
  PrintLine(document.dump(-1, ' ', out_.is_terminal(), nlohmann::ordered_json::error_handler_t::replace));
}

void Session::PrintJsonList(const nlohmann::ordered_json& list) {
  if (format_ != OutputFormat::kJsonLines) return PrintJson(list);
  for (const auto& item : list) PrintJson(item);
}

void Session::PrintTable(const Table& table) {
  const size_t width = out_.is_terminal() && !wide() ? TerminalWidth(out_.fd()) : 0;
  out_.Write(table.ToString(Color(out_), width));
}

void Session::PrintLine(std::string_view line) { out_.Write(std::string(line) + "\n"); }

void Session::Say(std::string_view line) {
  const size_t width = err_.is_terminal() ? TerminalWidth(err_.fd()) : 0;
  if (!options_.quiet) err_.Write(Wrapped("jobctl: " + std::string(line) + "\n", width));
}

int Session::Fail(const base::Error& error) {
  std::vector<base::FieldViolation> violations = error.violations();
  for (auto& violation : violations) violation.field = AuthorsName(violation.field, authored_);
  if (json()) {
    const base::Error named(error.code(), WithAuthorsName(error.message(), authored_));
    err_.Write(ErrorToJson(named, violations).dump(-1, ' ', err_.is_terminal(), nlohmann::ordered_json::error_handler_t::replace) +
               "\n");
    return ExitCodeOf(error, exit_as_jobs_);
  }
  std::string text;
  // jobd's message repeats the first violation in its own words.
  for (const auto& violation : violations) text += "jobctl: " + violation.field + ": " + violation.problem + "\n";
  if (violations.empty()) text = "jobctl: " + WithAuthorsName(error.message(), authored_) + "\n";
  err_.Write(Wrapped(text, err_.is_terminal() ? TerminalWidth(err_.fd()) : 0));
  return ExitCodeOf(error, exit_as_jobs_);
}

int Session::Finish(int exit_code) {
  if (out_.ok()) return exit_code;
  if (out_.broken_pipe()) return kExitBrokenPipe;
  Fail(out_.status().error());
  return kExitFailed;
}

}  // namespace jobd::cli
