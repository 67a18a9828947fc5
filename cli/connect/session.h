// The surroundings of every verb: its options, its output and the connection to jobd.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "cli/batch/author_names.h"
#include "cli/connect/client.h"
#include "cli/connect/settings.h"
#include "cli/view/output.h"

namespace jobd::cli {

class Table;

// One run of jobctl. Not thread-safe, but for the Client it hands out.
class Session {
 public:
  Session(GlobalOptions options, OutputFormat format, Environment env);

  const GlobalOptions& options() const { return options_; }
  const Environment& env() const { return env_; }
  OutputFormat format() const { return format_; }
  bool json() const { return format_ == OutputFormat::kJson || format_ == OutputFormat::kJsonLines; }
  bool wide() const { return format_ == OutputFormat::kWide; }
  OutputStream& out() { return out_; }
  OutputStream& err() { return err_; }
  // Colours are wanted on that stream: a terminal, without --no-color, NO_COLOR and TERM=dumb.
  bool Color(const OutputStream& stream) const;
  // A line may be written over and over: not with --quiet, nor on a terminal that cannot (TERM=dumb).
  bool ShowsProgress() const { return !options_.quiet && env_("TERM") != "dumb"; }
  base::Nanos Now() const { return clock_.Realtime(); }

  // The client, made when first asked for.
  base::Result<Client*> Connect();
  // Another one, over this connection.
  base::Result<std::unique_ptr<Client>> MakeClient(Connection connection);

  // Data: a document, or with jsonl a line.
  void PrintJson(const nlohmann::ordered_json& document);
  // One of many that come as they happen: a line, with json, too.
  void PrintJsonLine(const nlohmann::ordered_json& document);
  // A list: with jsonl a line per item.
  void PrintJsonList(const nlohmann::ordered_json& list);
  void PrintTable(const Table& table);
  void PrintLine(std::string_view line);

  // Talk, on standard error; not with --quiet.
  void Say(std::string_view line);
  // An error: a line, or a line for each field that is wrong; with JSON an object, as ErrorToJson has it. Returns the exit code.
  int Fail(const base::Error& error);
  // For verbs whose exit code is that of jobs: an error of jobd's or jobctl's own is 125 there, whatever it is.
  void ExitAsJobs() { exit_as_jobs_ = true; }
  // Where the author wrote what jobd may find wrong. What `authored` points to must live until the last Fail.
  void SetAuthored(Authored authored) { authored_ = std::move(authored); }
  // The exit code, unless standard output could not be written: then says so (but for a closed pipe) and returns the code for that.
  int Finish(int exit_code);

 private:
  GlobalOptions options_;
  OutputFormat format_;
  Environment env_;
  OutputStream out_{1};
  OutputStream err_{2};
  base::SystemClock clock_;
  std::unique_ptr<Client> client_;
  Authored authored_;
  bool exit_as_jobs_ = false;
};

}  // namespace jobd::cli
