// Specs as the store keeps them, and the fingerprint that makes submissions idempotent.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "worker/model/model.h"

namespace jobd::worker {

// Everything of a spec but stdin_data, which is kept beside it.
std::string EncodeSpec(const JobSpec& spec);
// kDataLoss when the bytes are no spec.
base::Result<JobSpec> DecodeSpec(std::string_view bytes);

std::string EncodeLabels(const std::map<std::string, std::string>& labels);
base::Result<std::map<std::string, std::string>> DecodeLabels(std::string_view bytes);

// SHA-256, 32 bytes, of all that was submitted but the correlation ID and ambient variables: two submissions with equal
// fingerprints ask for the same work.
std::string Fingerprint(const BatchOptions& options, const std::vector<JobSpec>& jobs);

}  // namespace jobd::worker
