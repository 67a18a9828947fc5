// Who may come in, and what they may do: the refusals.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/e2e/harness/suite.h"

namespace jobd::e2e {
namespace {

class IdentityTest : public DaemonSuite<IdentityTest> {
 protected:
  static Output Sh(const std::string& script) { return RunCommand({{"/bin/sh", "-c", script}, {}, {}, daemon_->CertDir()}); }

  // A client certificate NAME with these X.509 extensions, signed by `ca`.
  static void MakeCert(const std::string& name, const std::string& extensions, const std::string& more = "-days 1",
                       const std::string& ca = "ca") {
    const Output made = Sh("openssl ecparam -name prime256v1 -genkey -noout -out " + name + ".key && openssl req -new -key " +
                           name + ".key -subj '/CN=admin' -out " + name + ".csr && printf '" + extensions + "' > " + name +
                           ".ext && openssl x509 -req -in " + name + ".csr -CA " + ca + ".crt -CAkey " + ca +
                           ".key -set_serial 0x$(openssl rand -hex 8) -extfile " + name + ".ext -out " + name + ".crt " + more);
    ASSERT_EQ(made.code(), 0) << made.err;
  }

  static constexpr const char* kClient = "basicConstraints=CA:FALSE\\nkeyUsage=digitalSignature\\nextendedKeyUsage=clientAuth\\n";
};

TEST_F(IdentityTest, NoCertificateNoService) {
  // gRPC closes without sending the alert; what counts is that nothing is answered.
  const Output output = Sh("printf 'PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n' | timeout 20 openssl s_client -quiet -connect " +
                           daemon_->Address() + " -CAfile ca.crt -alpn h2");
  EXPECT_EQ(output.out, "");
  EXPECT_NE(output.err.find("error"), std::string::npos) << output.err;
}

TEST_F(IdentityTest, OnlyTls13) {
  for (const char* version : {"-tls1", "-tls1_1", "-tls1_2"}) {
    const Output output = Sh(std::string("openssl s_client ") + version + " -connect " + daemon_->Address() +
                             " -CAfile ca.crt -cert operator.crt -key operator.key </dev/null 2>&1");
    EXPECT_NE(output.code(), 0) << version << output.out;
  }
  const Output output = Sh("openssl s_client -tls1_3 -connect " + daemon_->Address() +
                           " -CAfile ca.crt -cert operator.crt -key operator.key -alpn h2 </dev/null 2>&1");
  EXPECT_NE(output.out.find("TLSv1.3"), std::string::npos) << output.out;
  EXPECT_EQ(output.out.find("New Session Ticket"), std::string::npos) << "a resumed session skips the certificate check";
}

TEST_F(IdentityTest, ForeignAndExpiredCertificatesAreRefused) {
  ASSERT_EQ(Sh("mkdir -p other && openssl ecparam -name prime256v1 -genkey -noout -out other.key && openssl req -x509 -new -key "
               "other.key -days 1 -subj '/CN=jobd development CA' -out other.crt -addext basicConstraints=critical,CA:TRUE")
                .code(),
            0);
  const std::string uri = std::string(kClient) + "subjectAltName=URI:spiffe://jobd/user/admin\\n";
  MakeCert("foreign", uri, "-days 1", "other");
  MakeCert("expired", uri, "-days -1");
  EXPECT_EQ(daemon_->Do({"admin", "status"}, "foreign").code(), 4);
  EXPECT_EQ(daemon_->Do({"admin", "status"}, "expired").code(), 4);
  EXPECT_EQ(daemon_->Do({"list"}, "foreign").code(), 125);
}

TEST_F(IdentityTest, IdentityIsExactlyOneUri) {
  const std::string user = "URI:spiffe://jobd/user/";
  const std::vector<std::pair<std::string, std::string>> bad{
      {"none", ""},
      {"two", "subjectAltName=" + user + "admin," + user + "operator\\n"},
      {"dns", "subjectAltName=DNS:spiffe\\n"},
      {"climbing", "subjectAltName=" + user + "admin/../operator\\n"},
      {"encoded", "subjectAltName=" + user + "%%61dmin\\n"},
      {"upper", "subjectAltName=" + user + "ADMIN\\n"},
      {"trailing", "subjectAltName=" + user + "admin/\\n"},
      {"otherhost", "subjectAltName=URI:spiffe://jobs/user/admin\\n"},
      {"unknown", "subjectAltName=" + user + "stranger\\n"},
  };
  for (const auto& [name, san] : bad) {
    MakeCert("id-" + name, kClient + san);
    const Output output = daemon_->Do({"list"}, "id-" + name);
    EXPECT_EQ(output.code(), 4) << name << output.out << output.err;
    EXPECT_TRUE(output.out.empty()) << name;
  }
}

TEST_F(IdentityTest, LeafMustBeAClientCertificate) {
  const std::string uri = "subjectAltName=URI:spiffe://jobd/user/admin\\n";
  MakeCert("no-eku", "basicConstraints=CA:FALSE\\nkeyUsage=digitalSignature\\n" + uri);
  MakeCert("server-eku", "basicConstraints=CA:FALSE\\nkeyUsage=digitalSignature\\nextendedKeyUsage=serverAuth\\n" + uri);
  MakeCert("ca-true", "basicConstraints=CA:TRUE\\nkeyUsage=digitalSignature\\nextendedKeyUsage=clientAuth\\n" + uri);
  MakeCert("no-signature", "basicConstraints=CA:FALSE\\nkeyUsage=keyAgreement\\nextendedKeyUsage=clientAuth\\n" + uri);
  for (const char* name : {"no-eku", "server-eku", "ca-true", "no-signature"}) {
    const int code = daemon_->Do({"list"}, name).code();
    EXPECT_TRUE(code == 4 || code == 125) << name << ": by jobd, or by the handshake already: " << code;
  }
}

TEST_F(IdentityTest, ViewerSeesAllAndChangesNothing) {
  const std::string id = daemon_->Ok({"run", "-d", "--", "true"});
  daemon_->Ok({"wait", id});
  EXPECT_NE(daemon_->Ok({"status", "--owner", "operator", id}, "viewer").find(id), std::string::npos);
  for (const std::vector<std::string>& args : std::vector<std::vector<std::string>>{{"run", "--", "true"},
                                                                                    {"cancel", "--owner", "operator", id},
                                                                                    {"retry", "--owner", "operator", id},
                                                                                    {"rm", "--owner", "operator", id},
                                                                                    {"admin", "stop"},
                                                                                    {"admin", "reload"}}) {
    const Output output = daemon_->Do(args, "viewer");
    EXPECT_EQ(output.code(), args[0] == "run" ? 125 : 4) << testing::PrintToString(args);
    EXPECT_NE(output.err.find("this needs the role "), std::string::npos) << output.err;
  }
}

TEST_F(IdentityTest, AnotherUsersBatchCannotBeToldFromNone) {
  const std::string id = daemon_->Ok({"run", "-d", "--id", "private-1", "--", "true"});
  daemon_->Ok({"wait", id});
  for (const std::string verb : {"status", "logs", "cancel", "retry", "rm", "wait"}) {
    Output theirs = daemon_->Do({verb, "private-1"}, "operator2");
    Output none = daemon_->Do({verb, "private-2"}, "operator2");
    EXPECT_NE(theirs.code(), 0);
    EXPECT_EQ(theirs.code(), none.code()) << verb;
    const size_t at = none.err.find("private-2");
    if (at != std::string::npos) none.err.replace(at, 9, "private-1");
    EXPECT_EQ(theirs.err, none.err) << verb;
  }
  EXPECT_EQ(daemon_->Ok({"list", "-o", "name"}, "operator2").find("private-1"), std::string::npos);
  // The same ID is another batch for another owner.
  EXPECT_EQ(daemon_->Ok({"run", "-d", "--id", "private-1", "--", "true"}, "operator2"), "private-1");
}

TEST_F(IdentityTest, OperatorsDoNotAdminister) {
  for (const std::string verb : {"stop", "start", "drain", "reload", "config"}) {
    const Output output = daemon_->Do({"admin", verb});
    EXPECT_NE(output.err.find("this needs the role "), std::string::npos) << verb << output.err;
    EXPECT_EQ(output.code(), 4);
  }
  EXPECT_EQ(daemon_->Do({"admin", "status"}, "admin").code(), 0);
}

TEST_F(IdentityTest, RevocationEndsOpenStreamsAndNewCalls) {
  MakeCert("leaver", std::string(kClient) + "subjectAltName=URI:spiffe://jobd/user/operator2\\n");
  const std::string id = daemon_->Ok({"run", "-d", "--", "sleep", "1000"}, "operator2");
  Process follower(daemon_->Ctl({"logs", "-f", id}, "leaver"));
  Process faithful(daemon_->Ctl({"logs", "-f", id}, "operator2"));
  const Output print = Sh("openssl x509 -in leaver.crt -noout -fingerprint -sha256 | cut -d= -f2");
  WriteFile(daemon_->CertDir() + "/revoked", print.out);
  daemon_->Ok({"admin", "reload"}, "admin");
  EXPECT_EQ(follower.Finish(Seconds(30)).code(), 4);
  EXPECT_EQ(daemon_->Do({"list"}, "leaver").code(), 4);
  daemon_->Ok({"cancel", "-t", "1s", id}, "operator2");
  EXPECT_EQ(faithful.Finish().code(), 0) << "another certificate of the same user is not affected";
}

}  // namespace
}  // namespace jobd::e2e
