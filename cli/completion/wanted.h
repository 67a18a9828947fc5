// What may stand at the end of a command line of jobctl, read off the verbs and options themselves.
#pragma once

#include <string>
#include <vector>

#include "cli/completion/command_line.h"
#include "cli/connect/settings.h"

namespace jobd::cli {

struct Candidate {
  std::string word;
  std::string help;  // a line, or empty
};

struct Wanted {
  enum class Kind {
    kWords,     // those in `words`
    kFiles,     // of this machine; the shell knows them
    kFolders,   // the same
    kCommands,  // the same
    kBatches,   // and jobs of them, that `verb` can do something with
    kContexts,
    kVariables,  // of the environment
  };
  Kind kind = Kind::kWords;
  std::vector<Candidate> words;
  std::string verb;
  std::string owner;      // whose batches
  std::string prefix;     // stands before the value in the same word: "--output="
  std::string current;    // what there is of the value
  GlobalOptions globals;  // as typed so far
};

// `words` are those behind "jobctl", the last one not complete and perhaps empty. Pure.
Wanted WantedAt(const CLI::App& root, const Arguments& words);

}  // namespace jobd::cli
