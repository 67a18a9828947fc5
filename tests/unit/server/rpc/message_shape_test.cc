// What a message will take in memory, told from its bytes.
#include "server/rpc/message_shape.h"

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <gtest/gtest.h>

#include <string>

#include "grpc/reflection/v1alpha/reflection.pb.h"
#include "jobd/v1/job_schedule_service.pb.h"

namespace jobd::server {
namespace {

constexpr uint64_t kMost = 1ull << 40;

uint64_t Decoded(const google::protobuf::Descriptor& type, const std::string& bytes, uint64_t most = kMost) {
  MessageShapes shapes;
  google::protobuf::io::ArrayInputStream in(bytes.data(), static_cast<int>(bytes.size()), 7);
  return shapes.Of(type).DecodedBytes(in, most);
}

std::string Times(size_t count, const std::string& bytes) {
  std::string all;
  for (size_t i = 0; i < count; ++i) all += bytes;
  return all;
}

TEST(MessageShape, FaultD5NoMessageTakesMoreThanItIsCountedFor) {
  const auto& submit = *jobd::v1::SubmitBatchRequest::descriptor();
  const auto& reflection = *grpc::reflection::v1alpha::ServerReflectionRequest::descriptor();
  const std::string empty_job("\x12\x00", 2);
  const std::string empty_arguments = std::string("\x12\x14", 2) + Times(10, std::string("\x0a\x00", 2));
  const std::string unknown("\xfa\x7f\x00", 3);
  const std::string unknown_number("\xf8\x7f\x01", 3);
  const std::string group("\xfb\x7f\xf8\x7f\x01\xfc\x7f", 7);
  for (const auto* type : {&submit, &reflection}) {
    for (const std::string& piece : {empty_job, empty_arguments, unknown, unknown_number, group}) {
      const std::string bytes = Times(5000, piece);
      const std::unique_ptr<google::protobuf::Message> message(
          google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
      ASSERT_TRUE(message->ParseFromString(bytes)) << type->full_name();
      EXPECT_GE(Decoded(*type, bytes), static_cast<uint64_t>(message->SpaceUsedLong())) << type->full_name() << " " << piece.size();
    }
  }
}

TEST(MessageShape, AnOrdinarySubmissionIsNotCountedForMuchMoreThanItTakes) {
  jobd::v1::SubmitBatchRequest request;
  for (int i = 0; i < 1000; ++i) {
    auto* const job = request.add_jobs();
    job->add_argv("/usr/bin/convert");
    job->add_argv("image-" + std::to_string(i) + ".png");
    auto* const variable = job->add_env();
    variable->set_name("LANG");
    variable->set_value("C.UTF-8");
  }
  const uint64_t counted = Decoded(*request.GetDescriptor(), request.SerializeAsString());
  EXPECT_GE(counted, static_cast<uint64_t>(request.SpaceUsedLong()) / 2);
  EXPECT_LE(counted, 3 * static_cast<uint64_t>(request.SpaceUsedLong()));
}

TEST(MessageShape, CountsNoFurtherThanTheMostAndStopsWhereTheBytesDo) {
  const auto& type = *jobd::v1::SubmitBatchRequest::descriptor();
  const std::string jobs = Times(100'000, std::string("\x12\x00", 2));
  EXPECT_LT(Decoded(type, jobs, 1000), 3000u);
  EXPECT_GT(Decoded(type, jobs, 1000), 1000u);
  for (const char* broken : {"\x12", "\x12\x7f", "\x12\x05\x0a", "\x0c", "\x07", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"}) {
    EXPECT_LT(Decoded(type, broken), 4096u);
  }
  // Deeper than any parser goes.
  std::string deep;
  for (int i = 0; i < 200; ++i) deep = "\x12" + std::string(1, static_cast<char>(std::min<size_t>(deep.size(), 127))) + deep;
  EXPECT_GT(Decoded(type, deep), 0u);
}

}  // namespace
}  // namespace jobd::server
