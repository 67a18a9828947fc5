// Login, sessions and what they may do: the refusals first. Without a network.
#include "server/auth/logins.h"

#include "server/api/thumbprint.h"
#include "tests/unit/server/api_fixture.h"

namespace jobd::server {
namespace {

using base::Code;
using base::kNanosPerSecond;
using testing::FakeClient;
using testing::kPassword;

class LoginTest : public testing::ApiFixture {
 protected:
  static jobd::v1::LoginRequest As(const std::string& user, const std::string& password = kPassword) {
    jobd::v1::LoginRequest request;
    request.set_username(user);
    request.set_password(password);
    return request;
  }
  // The end of a call; an OK is Code that nobody else has.
  static std::string Text(const CallEnd& end) { return end ? std::string(base::CodeName(end->code)) + ": " + end->message : "OK"; }
  std::string Try(FakeClient& client, const google::protobuf::Message& request) { return Text(client.Call(request)->End()); }
  std::string WhoAmI(FakeClient& client) { return Try(client, jobd::v1::WhoAmIRequest()); }

  jobd::v1::LoginResponse Login(FakeClient& client, const std::string& user) {
    auto call = client.Call(As(user));
    const CallEnd end = call->End();
    EXPECT_FALSE(end) << Text(end);
    return end ? jobd::v1::LoginResponse() : call->Message<jobd::v1::LoginResponse>();
  }
  // Of this moment's users file, with one text instead of another.
  void ChangeUsers(const std::string& from, const std::string& to) {
    std::string& text = files_.users;
    const size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    const auto report = reloader_.Reload(false);
    ASSERT_TRUE(report.ok()) << report.error().message();
  }

  static constexpr const char* kWrong = "UNAUTHENTICATED: wrong user name or password";
  static constexpr const char* kBadToken =
      "UNAUTHENTICATED: the access token has ended, or is not one for this certificate: log in again (jobctl login USER)";
  const std::string web_ = ca_.Host("web").cert;
};

TEST_F(LoginTest, WhatIsWrongWithALoginCannotBeTold) {
  FakeClient web = ClientWith(web_);
  EXPECT_EQ(Try(web, As("operator", "wrong password")), kWrong);
  EXPECT_EQ(Try(web, As("nobody", "wrong password")), kWrong);
  EXPECT_EQ(Try(web, As("gone")), kWrong) << "disabled";
  EXPECT_EQ(Try(web, As("keyless")), kWrong) << "without a password";
  EXPECT_EQ(Try(web, As("OPERATOR")), kWrong);
  EXPECT_EQ(Try(web, As("operator\n")), kWrong);
  EXPECT_EQ(Try(web, As(std::string("operator\0x", 10))), kWrong);
  EXPECT_EQ(Try(web, As("host/web")), kWrong);
  FakeClient kiosk = ClientWith(ca_.Host("kiosk").cert);
  EXPECT_EQ(Try(kiosk, As("operator2", "wrong password")), kWrong) << "whom this host does not log in";
  EXPECT_EQ(Try(kiosk, As("operator2")).substr(0, 17), "PERMISSION_DENIED") << "who knows it may know why";
  EXPECT_TRUE(sessions_.List("").empty());
}

TEST_F(LoginTest, APasswordIsMeasuredBeforeItCosts) {
  FakeClient web = ClientWith(web_);
  for (const char* user : {"operator", "nobody"}) {
    EXPECT_EQ(Try(web, As(user, std::string(1 << 20, 'x'))).substr(0, 16), "INVALID_ARGUMENT") << user;
    EXPECT_EQ(Try(web, As(user, std::string(1025, 'x'))).substr(0, 16), "INVALID_ARGUMENT") << user;
    EXPECT_EQ(Try(web, As(user, "")).substr(0, 16), "INVALID_ARGUMENT") << user;
  }
  EXPECT_EQ(Try(web, As("", "x")).substr(0, 16), "INVALID_ARGUMENT");
}

TEST_F(LoginTest, AUsersOwnCertificateIsForThatUserAlone) {
  FakeClient viewer = Client("viewer");
  const std::string refused = Try(viewer, As("admin"));
  EXPECT_EQ(refused.substr(0, 17), "PERMISSION_DENIED");
  // Whoever that is, and whether they are.
  EXPECT_EQ(Try(viewer, As("admin", "wrong password")), refused);
  EXPECT_EQ(Try(viewer, As("nobody")), refused);
  EXPECT_EQ(Login(viewer, "viewer").token_type(), "Bearer");
}

TEST_F(LoginTest, AHostDoesNothingButLogIn) {
  FakeClient web = ClientWith(web_);
  for (const auto& [path, method] : methods_.by_path()) {
    if (method->rule->host != Scope::kNone) continue;
    const std::unique_ptr<Message> in(method->request->New());
    EXPECT_EQ(web.Call(*method, in.get())->End()->code, Code::kUnauthenticated) << path;
  }
  EXPECT_EQ(Try(web, grpc::health::v1::HealthCheckRequest()), "OK");
  FakeClient stranger = ClientWith(ca_.Host("stranger").cert);
  EXPECT_EQ(Try(stranger, As("operator")).substr(0, 15), "UNAUTHENTICATED");
  EXPECT_EQ(worker_.changes(), 0);
}

TEST_F(LoginTest, ATokenMakesTheHostItsUser) {
  clock_.StandStill();
  FakeClient web = ClientWith(web_);
  const auto granted = Login(web, "operator");
  EXPECT_EQ(granted.access_token().size(), auth::kTokenChars);
  EXPECT_EQ(granted.expires_in().seconds(), 900);
  EXPECT_EQ(granted.expires_in().nanos(), 0);
  web.With(granted.access_token());
  auto call = web.Call(jobd::v1::WhoAmIRequest());
  ASSERT_FALSE(call->End());
  const auto who = call->Message<jobd::v1::WhoAmIResponse>();
  EXPECT_EQ(who.name(), "operator");
  EXPECT_EQ(who.role(), "operator");
  EXPECT_EQ(who.max_role(), "operator");
  EXPECT_EQ(who.caller(), "host");
  EXPECT_EQ(who.host(), "web");
  EXPECT_EQ(who.session(), granted.session());
  EXPECT_EQ(who.expires_at().seconds(), granted.expires_at().seconds());
  EXPECT_GT(who.certificate_expires_at().seconds(), 0);
  EXPECT_EQ(who.x5t_s256().size(), 43u);
  jobd::v1::ExecuteJobRequest request;
  request.mutable_job()->add_argv("true");
  EXPECT_EQ(Try(web, request), "OK");
  EXPECT_EQ(worker_.submissions().at(0).submitter.owner, "operator");
}

TEST_F(LoginTest, AHostBoundsWhatItsUsersMay) {
  FakeClient kiosk = ClientWith(ca_.Host("kiosk").cert);
  kiosk.With(Login(kiosk, "admin").access_token());
  auto call = kiosk.Call(jobd::v1::WhoAmIRequest());
  ASSERT_FALSE(call->End());
  EXPECT_EQ(call->Message<jobd::v1::WhoAmIResponse>().role(), "viewer");
  EXPECT_EQ(Try(kiosk, jobd::v1::StopRequest()),
            "PERMISSION_DENIED: this needs the role admin, and yours is viewer through this host");
  jobd::v1::ExecuteJobRequest request;
  request.mutable_job()->add_argv("true");
  EXPECT_EQ(Try(kiosk, request).substr(0, 17), "PERMISSION_DENIED");
  FakeClient root = ClientWith(ca_.Host("root").cert);
  root.With(Login(root, "admin").access_token());
  EXPECT_EQ(Try(root, jobd::v1::StopRequest()), "OK");
}

TEST_F(LoginTest, ATokenIsForItsCertificateAlone) {
  FakeClient web = ClientWith(web_);
  const std::string token = Login(web, "operator2").access_token();
  for (const std::string& other :
       {ca_.User("operator").cert, ca_.User("operator2").cert, ca_.Host("web").cert, ca_.Host("root").cert}) {
    FakeClient thief = ClientWith(other);
    thief.With(token);
    EXPECT_EQ(WhoAmI(thief), kBadToken);
  }
  EXPECT_EQ(WhoAmI(web.With(token)), "OK");
}

TEST_F(LoginTest, WhatIsNoTokenIsRefusedAndNeverPassedOver) {
  FakeClient viewer = Client("viewer");
  const std::string token = Login(viewer, "viewer").access_token();
  for (const size_t at : {5u, 20u, 47u, 53u}) {
    std::string flipped = token;
    flipped[at] = static_cast<char>(flipped[at] ^ 1);
    EXPECT_EQ(WhoAmI(viewer.With(flipped)), kBadToken) << at;
  }
  EXPECT_EQ(WhoAmI(viewer.With(auth::AccessToken::Generate().text())), kBadToken) << "of another jobd";
  for (const std::string& bad : {std::string("Basic dmlld2VyOng="), token, std::string("Bearer"), std::string("")}) {
    EXPECT_EQ(Text(viewer.Authorizations({bad}).Call(jobd::v1::WhoAmIRequest())->End()).substr(0, 15), "UNAUTHENTICATED") << bad;
  }
  EXPECT_EQ(WhoAmI(viewer.Authorizations({"Bearer " + token + " "})), kBadToken);
  EXPECT_EQ(WhoAmI(viewer.Authorizations({"Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9."})), kBadToken);
  EXPECT_EQ(WhoAmI(viewer.Authorizations({"Bearer " + token, "Bearer " + token})).substr(0, 16), "INVALID_ARGUMENT");
  EXPECT_EQ(WhoAmI(viewer.Authorizations({"bearer " + token})), "OK") << "RFC 7235: the scheme's case does not matter";
  EXPECT_EQ(WhoAmI(viewer.With("")), "OK");
}

TEST_F(LoginTest, ALoginLooksAtNoToken) {
  FakeClient web = ClientWith(web_);
  web.With("jobd_stale");
  EXPECT_EQ(Try(web, As("operator")), "OK");
}

TEST_F(LoginTest, RenewAndLogoutAreForSessions) {
  FakeClient viewer = Client("viewer");
  for (const google::protobuf::Message* request : std::initializer_list<const google::protobuf::Message*>{
           &jobd::v1::RenewRequest::default_instance(), &jobd::v1::LogoutRequest::default_instance()}) {
    EXPECT_EQ(Try(viewer, *request).substr(0, 15), "UNAUTHENTICATED");
  }
  const auto granted = Login(viewer, "viewer");
  viewer.With(granted.access_token());
  auto renewal = viewer.Call(jobd::v1::RenewRequest());
  ASSERT_FALSE(renewal->End());
  const auto renewed = renewal->Message<jobd::v1::RenewResponse>();
  EXPECT_EQ(renewed.session(), granted.session());
  EXPECT_EQ(WhoAmI(viewer), kBadToken) << "the old one has ended";
  EXPECT_EQ(Try(viewer, jobd::v1::RenewRequest()), kBadToken);
  viewer.With(renewed.access_token());
  EXPECT_EQ(WhoAmI(viewer), "OK");
  EXPECT_EQ(Try(viewer, jobd::v1::LogoutRequest()), "OK");
  EXPECT_EQ(WhoAmI(viewer), kBadToken);
  EXPECT_TRUE(worker_.stored_sessions.Sessions()->empty());
  EXPECT_EQ(WhoAmI(viewer.With("")), "OK") << "the certificate is as it was";
}

TEST_F(LoginTest, ATokenEndsInTime) {
  FakeClient viewer = Client("viewer");
  viewer.With(Login(viewer, "viewer").access_token());
  clock_.Advance(899 * kNanosPerSecond);
  EXPECT_EQ(WhoAmI(viewer), "OK");
  clock_.Advance(kNanosPerSecond);
  EXPECT_EQ(WhoAmI(viewer), kBadToken);
}

TEST_F(LoginTest, APasswordARoleAndDisablingEndSessionsForGood) {
  const std::string changes[][2] = {
      {"name = \"operator\"\nrole = \"operator\"", "name = \"operator\"\nrole = \"viewer\""},
      {"name = \"operator\"\nrole = \"operator\"", "name = \"operator\"\ndisabled = true\nrole = \"operator\""},
      {"name = \"operator\"\nrole = \"operator\"\npassword = \"", ""},
      {"name = \"web\"\nmax_role", "name = \"web\"\nusers = [\"viewer\"]\nmax_role"},
      {"name = \"web\"\nmax_role", "name = \"wob\"\nmax_role"}};
  for (const auto& [from, to] : changes) {
    FakeClient web = ClientWith(web_);
    web.With(Login(web, "operator").access_token());
    ASSERT_EQ(WhoAmI(web), "OK");
    const std::string before = files_.users;
    if (to.empty()) {
      const size_t at = files_.users.find(from) + from.size();
      const size_t end = files_.users.find('"', at);
      const std::string old = files_.users.substr(at, end - at);
      ChangeUsers(from + old, from + testing::HashOf("another password"));
    } else {
      ChangeUsers(from, to);
    }
    EXPECT_EQ(WhoAmI(web).substr(0, 15), "UNAUTHENTICATED") << to;
    // As if it had never been: what ended stays so.
    files_.users = before;
    ASSERT_TRUE(reloader_.Reload(false).ok());
    EXPECT_EQ(WhoAmI(web), kBadToken) << to;
    EXPECT_TRUE(sessions_.List("").empty()) << to;
  }
}

TEST_F(LoginTest, RevocationEndsTheSessionsOfTheCertificate) {
  FakeClient web = ClientWith(web_);
  web.With(Login(web, "operator").access_token());
  FakeClient other = ClientWith(ca_.Host("web").cert);
  other.With(Login(other, "operator").access_token());
  files_.revoked = ParseCertificate(web_)->serial.insert(0, "0x") + "\n";
  ASSERT_TRUE(reloader_.Reload(false).ok());
  EXPECT_EQ(WhoAmI(web), "UNAUTHENTICATED: the client certificate has been revoked");
  EXPECT_EQ(WhoAmI(other), "OK");
  files_.revoked = "";
  ASSERT_TRUE(reloader_.Reload(false).ok());
  EXPECT_EQ(WhoAmI(web), kBadToken);
}

TEST_F(LoginTest, AStreamEndsWithItsSessionAndNotWithItsToken) {
  jobd::v1::ExecuteJobRequest request;
  request.mutable_options()->set_correlation_id("mine");
  request.mutable_job()->add_argv("true");
  FakeClient web = ClientWith(web_);
  web.With(Login(web, "operator").access_token());
  ASSERT_EQ(Try(web, request), "OK");
  jobd::v1::StreamLogsRequest follow;
  follow.set_correlation_id("mine");
  follow.set_follow(true);
  auto stream = web.Call(follow);
  // For an hour, with the token renewed as jobctl does.
  for (int i = 0; i < 6; ++i) {
    clock_.Advance(600 * kNanosPerSecond);
    auto renewal = web.Call(jobd::v1::RenewRequest());
    ASSERT_FALSE(renewal->End());
    web.With(renewal->Message<jobd::v1::RenewResponse>().access_token());
    streams_.RecheckAll();
    ASSERT_FALSE(stream->ended()) << "after " << i + 1 << " renewals";
  }
  EXPECT_EQ(Try(web, jobd::v1::LogoutRequest()), "OK");
  EXPECT_EQ(stream->End()->code, Code::kUnauthenticated);

  web.With(Login(web, "operator").access_token());
  auto unrenewed = web.Call(follow);
  clock_.Advance(901 * kNanosPerSecond);
  EXPECT_EQ(unrenewed->End()->code, Code::kUnauthenticated) << "by itself, within two seconds";
}

TEST_F(LoginTest, GuessingIsSlowAndLocksNobodyOut) {
  FakeClient web = ClientWith(web_);
  int wrong = 0;
  std::string last;
  for (int i = 0; i < 20; ++i) {
    last = Try(web, As("operator2", "guess " + std::to_string(i)));
    wrong += last == kWrong ? 1 : 0;
  }
  EXPECT_EQ(wrong, 10);
  auto call = web.Call(As("operator2"));
  const CallEnd end = call->End();
  EXPECT_EQ(end->code, Code::kResourceExhausted) << "even with the right one";
  EXPECT_GT(end->retry_after, 0);
  FakeClient root = ClientWith(ca_.Host("root").cert);
  EXPECT_EQ(Try(root, As("operator2")), "OK") << "from elsewhere";
  FakeClient own = Client("operator2");
  EXPECT_EQ(Try(own, As("operator2")), "OK");
  EXPECT_EQ(Try(web, As("operator3")), "OK") << "others from there";
}

TEST_F(LoginTest, AdministratorsSeeSessionsAndEndThem) {
  FakeClient web = ClientWith(web_);
  const auto of_operator = Login(web, "operator");
  const auto of_viewer = Login(web, "viewer");
  FakeClient admin = Client("admin");
  EXPECT_EQ(Try(web.With(of_operator.access_token()), jobd::v1::ListSessionsRequest()).substr(0, 17), "PERMISSION_DENIED");
  auto list = admin.Call(jobd::v1::ListSessionsRequest());
  ASSERT_FALSE(list->End());
  const auto sessions = list->Message<jobd::v1::ListSessionsResponse>();
  ASSERT_EQ(sessions.sessions_size(), 2);
  EXPECT_EQ(sessions.sessions(0).user(), "viewer") << "the latest first";
  EXPECT_EQ(sessions.sessions(0).host(), "web");
  EXPECT_EQ(sessions.sessions(0).x5t_s256(), ThumbprintOf(ParseCertificate(web_)->fingerprint));
  EXPECT_EQ(sessions.DebugString().find("jobd_"), std::string::npos);
  jobd::v1::EndSessionsRequest end;
  EXPECT_EQ(Try(admin, end).substr(0, 16), "INVALID_ARGUMENT");
  end.set_session(of_operator.session());
  EXPECT_EQ(Try(admin, end), "OK");
  EXPECT_EQ(WhoAmI(web), kBadToken);
  EXPECT_EQ(WhoAmI(web.With(of_viewer.access_token())), "OK");
  end.clear_session();
  end.set_user("viewer");
  auto ended = admin.Call(end);
  ASSERT_FALSE(ended->End());
  EXPECT_EQ(ended->Message<jobd::v1::EndSessionsResponse>().ended(), 1u);
  EXPECT_EQ(WhoAmI(web), kBadToken);
}

TEST_F(LoginTest, NothingSecretIsLogged) {
  FakeClient web = ClientWith(web_);
  const std::string token = Login(web, "operator").access_token();
  (void)Try(web, As("operator", "a wrong secret"));
  (void)WhoAmI(web.With(token));
  (void)Try(web, jobd::v1::LogoutRequest());
  const std::string log = Log();
  EXPECT_NE(log.find("login"), std::string::npos) << log;
  for (const std::string& secret : {token, std::string(kPassword), std::string("a wrong secret"), std::string("argon2")}) {
    EXPECT_EQ(log.find(secret), std::string::npos) << log;
  }
}

TEST_F(LoginTest, WhenTheDiskTakesNoSessionNobodyIsLoggedIn) {
  FakeClient web = ClientWith(web_);
  worker_.stored_sessions.FailWith(base::Error(Code::kUnavailable, "the state disk failed"));
  EXPECT_EQ(Try(web, As("operator")), "UNAVAILABLE: the state disk failed");
  worker_.stored_sessions.FailWith(std::nullopt);
  EXPECT_EQ(Try(web, As("operator")), "OK");
}

TEST(Thumbprint, IsAsInRfc8705) {
  // The example of section 3.1, from its base64url and back.
  EXPECT_EQ(ThumbprintOf("0000000000000000000000000000000000000000000000000000000000000000"), std::string(43, 'A'));
  EXPECT_EQ(ThumbprintOf("ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"), std::string(42, '_') + "8");
}

}  // namespace
}  // namespace jobd::server
