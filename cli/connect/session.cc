#include "cli/connect/session.h"

#include <nlohmann/json.hpp>

#include "cli/view/exit_code.h"
#include "cli/view/table.h"

namespace jobd::cli {

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
    const std::string limit = std::to_string(connection.connect_timeout / base::kNanosPerSecond);
    JOBD_ASSIGN_OR_RETURN(client_, Client::Create(std::move(connection), [this, limit](const std::string& reason) {
                            Say(reason + "; trying for " + limit + " s");
                          }));
  }
  return client_.get();
}

void Session::PrintJson(const nlohmann::ordered_json& document) {
  const int indent = format_ == OutputFormat::kJsonLines ? -1 : 2;
  // On a terminal everything beyond ASCII is escaped: JSON alone lets control and direction characters through.
  PrintLine(document.dump(indent, ' ', out_.is_terminal(), nlohmann::ordered_json::error_handler_t::replace));
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
  if (!options_.quiet) err_.Write("jobctl: " + std::string(line) + "\n");
}

int Session::Fail(const base::Error& error) {
  std::string text = "jobctl: " + error.message() + "\n";
  for (const auto& violation : error.violations()) text += "  " + violation.field + ": " + violation.problem + "\n";
  err_.Write(text);
  return ExitCodeOf(error);
}

int Session::Finish(int exit_code) {
  if (out_.ok()) return exit_code;
  if (out_.broken_pipe()) return kExitBrokenPipe;
  Fail(out_.status().error());
  return kExitFailed;
}

}  // namespace jobd::cli
