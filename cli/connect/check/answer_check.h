// Checks what a service says before it is used or shown: a client must not be harmed by the server it talks to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/result.h"

namespace google::protobuf {
class Message;
}

namespace jobd::cli {

// Checks a message and all messages in it, whatever they are: each correlation ID and each owner is a safe name, each index of a
// job is one that a batch can have, and each result is one that a job can have (an exit code of 0 to 255 or a signal of 1 to 64,
// success beside exit 0 alone). kDataLoss says what is wrong.
base::Status CheckAnswer(const google::protobuf::Message& message);

// Checks what jobd says it has accepted against what was sent: a batch under the ID that was asked for (`id`; empty: any, but one),
// of so many jobs. kDataLoss: nobody knows what was accepted, if anything.
base::Status CheckAccepted(const std::string& id, size_t jobs, const std::string& answered_id, uint32_t answered_jobs);

// Keeps the pages of one list from having no end. Not thread-safe.
class PageGuard {
 public:
  // `most`: rows in all.
  explicit PageGuard(uint64_t most) : most_(most) {}

  // Takes in a page: its rows, its size in bytes and the token of the page that follows it, empty for the last. kDataLoss when
  // there is more than a list can have, or when the next page cannot lead on.
  base::Status Add(size_t rows, size_t bytes, const std::string& next);

 private:
  uint64_t most_;
  uint64_t rows_ = 0;
  uint64_t bytes_ = 0;
  std::string last_;
};

}  // namespace jobd::cli
