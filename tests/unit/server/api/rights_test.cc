// Every RPC, called by every kind of caller. What comes out is the table that docs/rights.md shows.
#include <fstream>
#include <functional>
#include <sstream>

#include "tests/unit/server/api_fixture.h"
#include "tests/unit/server/fill_in.h"

namespace jobd::server {
namespace {

using config::Role;
using testing::FakeClient;

// A kind of caller: what they show, and what that makes them.
struct Kind {
  const char* title;
  std::string user;                    // whom they are, or want to be
  std::function<FakeClient()> client;  // as new for each call: some calls end the session
  Role role = Role::kViewer;
  bool bare_host = false;
};

class RightsTest : public testing::ApiFixture {
 protected:
  std::vector<Kind> Kinds() {
    const auto by_certificate = [this](const std::string& user) { return [this, user] { return Client(user); }; };
    const auto by_host = [this](const std::string& host, const std::string& user) {
      return [this, host, user] {
        const std::string certificate = ca_.Host(host).cert;
        FakeClient client = ClientWith(certificate);
        client.With(TokenFor(user, certificate));
        return client;
      };
    };
    revoked_ = ca_.User("admin").cert;
    const auto foreign_token = [this] {
      FakeClient client = Client("admin");
      client.With(TokenFor("admin", ca_.User("admin").cert));
      return client;
    };
    return {{"nobody", "admin", by_certificate("stranger")},
            {"viewer", "viewer", by_certificate("viewer"), Role::kViewer},
            {"operator", "operator", by_certificate("operator"), Role::kOperator},
            {"admin", "admin", by_certificate("admin"), Role::kAdmin},
            {"host", "operator", [this] { return ClientWith(ca_.Host("root").cert); }, Role::kViewer, true},
            {"host: viewer", "viewer", by_host("root", "viewer"), Role::kViewer},
            {"host: operator", "operator", by_host("root", "operator"), Role::kOperator},
            {"host: admin", "admin", by_host("root", "admin"), Role::kAdmin},
            {"viewers' host: admin", "admin", by_host("kiosk", "admin"), Role::kViewer},
            {"disabled", "gone", by_certificate("gone")},
            {"revoked", "admin", [this] { return ClientWith(revoked_); }},
            {"admin, another's token", "admin", foreign_token, Role::kAdmin}};
  }

  // Of a call that was begun: its end, if it has one by itself.
  static CallEnd EndOf(testing::FakeCallPtr& call, const Method& method) {
    if (call->ended()) return call->End();
    if (method.is_upload()) {
      jobd::v1::SubmitBatchRequest jobs;
      jobs.add_jobs()->add_argv("true");
      return call->Send(jobs) ? call->Close() : call->End();
    }
    if (method.is_dialogue()) return call->HangUp();
    if (method.is_unary()) return call->End();
    // It was let in, and lasts.
    call->Leave();
    (void)call->End();
    return std::nullopt;
  }

  // Makes the request one about somebody else's batch, if it can say whose it is about.
  static bool AskForOthers(google::protobuf::Message& in) {
    google::protobuf::Message* within = &in;
    if (const auto* const jobs = in.GetDescriptor()->FindFieldByName("jobs"); jobs != nullptr && !jobs->is_repeated()) {
      within = in.GetReflection()->MutableMessage(&in, jobs);
    }
    const auto* const owner = within->GetDescriptor()->FindFieldByName("owner");
    if (owner != nullptr) within->GetReflection()->SetString(within, owner, "operator3");
    return owner != nullptr;
  }

  std::string Cell(const Method& method, const Kind& kind) {
    const std::unique_ptr<Message> in(method.request->New());
    testing::FillIn(*in, kind.user);
    const bool about_others = AskForOthers(*in);
    FakeClient client = kind.client();
    auto call = client.Call(method, in.get());
    const CallEnd end = EndOf(call, method);
    if (end && end->code == base::Code::kUnauthenticated) return "unknown";
    if (end && end->code == base::Code::kPermissionDenied) return "no";
    if (about_others) {
      EXPECT_TRUE(!end || end->code == base::Code::kNotFound) << method.path << " " << kind.title << ": " << end->message;
      return end ? "own" : "all";
    }
    EXPECT_FALSE(end) << method.path << " " << kind.title << ": " << end->message;
    const Scope scope = kind.bare_host ? method.rule->host : method.rule->For(kind.role);
    EXPECT_NE(scope, Scope::kNone) << method.path << " " << kind.title;
    return scope == Scope::kAll ? "all" : "own";
  }

  std::string revoked_;
};

TEST_F(RightsTest, TheTableOfTheDocumentationIsWhatComesOut) {
  // A batch of somebody else's, by the name that FillIn asks for.
  jobd::v1::ExecuteJobRequest theirs;
  theirs.mutable_options()->set_correlation_id("mine");
  theirs.mutable_job()->add_argv("true");
  FakeClient other = Client("operator3");
  ASSERT_FALSE(other.Call(theirs)->End());
  worker_.log->Finish();
  throttle_.SetRate(0);

  const std::vector<Kind> kinds = Kinds();
  files_.revoked = ParseCertificate(revoked_)->fingerprint + "\n";
  ASSERT_TRUE(reloader_.Reload(false).ok());
  std::string table = "| RPC |";
  std::string rule = "|---|";
  for (const Kind& kind : kinds) {
    table += " " + std::string(kind.title) + " |";
    rule += "---|";
  }
  table += "\n" + rule + "\n";
  for (const auto& [path, method] : methods_.by_path()) {
    const size_t dot = path.rfind('.');
    table += "| " + path.substr(dot + 1) + " |";
    for (const Kind& kind : kinds) {
      table += " " + Cell(*method, kind) + " |";
      // What a call has removed.
      ASSERT_FALSE(other.Call(theirs)->End());
    }
    table += "\n";
  }
  std::ifstream file(JOBD_RIGHTS);
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_NE(text.str().find("\n\n" + table + "\n"), std::string::npos) << "docs/rights.md should have:\n\n" << table;
}

}  // namespace
}  // namespace jobd::server
