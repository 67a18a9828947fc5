#include "cli/connect/channel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <fstream>
#include <memory>

#include "tests/support/temp_dir.h"

namespace jobd::cli {
namespace {

using testing::HasSubstr;

class ChannelTest : public testing::Test {
 protected:
  ChannelTest() : key_(EVP_EC_gen("P-256"), EVP_PKEY_free) {
    connection_.ca = connection_.cert = Write("crt", "-----BEGIN CERTIFICATE-----\n");  // gRPC reads it when it connects
    connection_.key = Write("key", Key(nullptr));
  }

  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ + "/" + name) << text;
    return folder_ + "/" + name;
  }
  static std::string Text(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return std::string(data, static_cast<size_t>(size));
  }
  std::string Key(const EVP_CIPHER* cipher) const {
    const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), BIO_free);
    std::string phrase = "secret";
    PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), cipher, cipher == nullptr ? nullptr : phrase.data(),
                                  cipher == nullptr ? 0 : static_cast<int>(phrase.size()), nullptr, nullptr);
    return Text(bio.get());
  }
  std::string TraditionalKey(const EVP_CIPHER* cipher) const {
    const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), BIO_free);
    unsigned char phrase[] = "secret";
    PEM_write_bio_PrivateKey_traditional(bio.get(), key_.get(), cipher, phrase, sizeof phrase - 1, nullptr, nullptr);
    return Text(bio.get());
  }
  std::string Refusal() const {
    const auto channel = MakeChannel(connection_);
    return channel.ok() ? "accepted" : channel.error().message();
  }

  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
  const test::TempDir temp_;
  const std::string folder_ = temp_.path();
  Connection connection_;
};

// OpenSSL asked for the pass phrase on the terminal, for ever.
TEST_F(ChannelTest, FaultA10AnEncryptedKeyIsRefusedAtOnce) {
  ASSERT_EQ(Refusal(), "accepted");
  for (const std::string& key : {Key(EVP_aes_256_cbc()), TraditionalKey(EVP_aes_128_cbc())}) {
    Write("key", key);
    EXPECT_THAT(Refusal(), HasSubstr(connection_.key + " is encrypted"));
    EXPECT_THAT(Refusal(), HasSubstr("openssl pkey -in " + connection_.key)) << "the way out";
  }
}

}  // namespace
}  // namespace jobd::cli
