// Specs as they are stored, and the fingerprint of a submission.
#include "worker/store/spec_codec.h"

#include <gtest/gtest.h>

#include <span>

#include "base/text.h"

namespace jobd::worker {
namespace {

TEST(SpecCodecTest, DamagedBytesAreNoSpec) {
  const std::string good = EncodeSpec({.argv = {"a", "b"}, .env = {{"K", "V"}}, .kill_after = 0});
  EXPECT_EQ(*DecodeSpec(good), (JobSpec{.argv = {"a", "b"}, .env = {{"K", "V"}}, .kill_after = 0}));
  for (size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(DecodeSpec(good.substr(0, size)).ok());
  EXPECT_FALSE(DecodeSpec(good + "x").ok());
  EXPECT_EQ(good[0], 1) << "what older services stored is written the same, or a repeated submission would be another";
  const JobSpec limited{
      .argv = {"a"},
      .limits = {.file_bytes = 1, .open_files = 2, .tmp_bytes = 3, .io_read_bytes_per_second = 4, .io_write_bytes_per_second = 5}};
  const std::string later = EncodeSpec(limited);
  EXPECT_EQ(*DecodeSpec(later), limited);
  for (size_t size = 0; size < later.size(); ++size) EXPECT_FALSE(DecodeSpec(later.substr(0, size)).ok());
  const JobSpec latest{.argv = {"a"}, .limits = {.memory_bytes = 1, .core_bytes = 6}};
  const std::string newest = EncodeSpec(latest);
  EXPECT_EQ(*DecodeSpec(newest), latest);
  EXPECT_EQ(later[0], 2) << "what the service before stored is written the same";
  for (size_t size = 0; size < newest.size(); ++size) EXPECT_FALSE(DecodeSpec(newest.substr(0, size)).ok());
  EXPECT_FALSE(DecodeSpec("\x04" + good.substr(1)).ok()) << "of a newer service";
}

TEST(SpecCodecTest, FingerprintSeesEverythingButTheId) {
  const std::vector<JobSpec> jobs = {{.argv = {"a"}}};
  const std::string base = Fingerprint({.correlation_id = "1"}, jobs);
  EXPECT_EQ(base, Fingerprint({.correlation_id = "2"}, jobs));
  EXPECT_NE(base, Fingerprint({.name = "n"}, jobs));
  EXPECT_NE(base, Fingerprint({}, {{.argv = {"a"}, .stdin_data = "x"}}));
  EXPECT_NE(base, Fingerprint({}, {{.argv = {"a", ""}}}));
  EXPECT_NE(base, Fingerprint({}, {{.argv = {"a"}}, {.argv = {"a"}}}));
}

TEST(SpecCodecTest, FaultC12FingerprintKnowsNothingOfTheTerminal) {
  const std::string base = Fingerprint({}, {{.argv = {"a"}, .env = {{"K", "V"}}}});
  EXPECT_EQ(base, Fingerprint({}, {{.argv = {"a"}, .env = {{"K", "V"}, {"TERM", "xterm"}}, .ambient = {"TERM"}}}));
  EXPECT_EQ(base,
            Fingerprint(
                {}, {{.argv = {"a"}, .env = {{"NO_COLOR", ""}, {"K", "V"}, {"TERM", "vt100"}}, .ambient = {"TERM", "NO_COLOR"}}}));
  EXPECT_NE(base, Fingerprint({}, {{.argv = {"a"}, .env = {{"K", "V"}, {"TERM", "xterm"}}}})) << "asked for";
}

TEST(SpecCodecTest, FingerprintIsThatOfServicesBefore) {
  const BatchOptions options{.name = "n", .labels = {{"k", "v"}}, .parallel = 3, .fail_fast = true, .priority = Priority::kUrgent};
  const std::vector<JobSpec> jobs = {
      {.argv = {"a", std::string(300, 'b')}, .name = "j", .env = {{"K", "V"}}, .stdin_data = std::string("in\0put", 6)},
      {.argv = {"c"}, .shell = true, .workdir = "/", .kill_after = 5, .limits = {.pids = 9, .tmp_bytes = 1 << 20}, .retries = 2}};
  const std::string digest = Fingerprint(options, jobs);
  EXPECT_EQ(base::Hex(std::as_bytes(std::span(digest))), "226d06d52132a05b114a705a2954f1a4cbcadc39046018c515da2a658067490f")
      << "a submission that is repeated after an upgrade would be another";
}

}  // namespace
}  // namespace jobd::worker
