// `jobctl completion` in real shells, at a terminal.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>

#include "base/listener.h"
#include "tests/e2e/harness/suite.h"
#include "tests/e2e/harness/terminal.h"
#include "tests/support/programs.h"

namespace jobd::e2e {
namespace {

namespace fs = std::filesystem;

class CompletionTest : public DaemonSuite<CompletionTest>, public testing::WithParamInterface<const char*> {
 public:
  static void SetUpTestSuite() {
    DaemonSuite<CompletionTest>::SetUpTestSuite();
    ASSERT_TRUE(daemon_->running());
    // Ended and live ones, with names that shells like to take apart.
    for (const char* id : {"ended:one", "ended:two"}) daemon_->Ok({"run", "--id", id, "--", "true"});
    daemon_->Ok({"run", "-d", "--hold", "--id", "live:three", "--name", "the only one", "--", "true"});
    home_ = daemon_->folder() + "/home";
    fs::create_directories(home_ + "/.config/jobctl");
    fs::create_directories(home_ + "/work/folder");
    fs::create_directories(home_ + "/bin");
    fs::create_symlink(Binary("jobctl"), home_ + "/bin/jobctl");
    WriteFile(home_ + "/work/batch.yaml", "- true\n");
    WriteFile(home_ + "/.config/jobctl/config.toml", "[context.house]\naddress = \"h:1\"\n[context.boat]\naddress = \"b:1\"\n");
  }
  static void TearDownTestSuite() {
    if (daemon_ != nullptr) daemon_->Do({"cancel", "live:three"});
    DaemonSuite<CompletionTest>::TearDownTestSuite();
  }

 protected:
  void SetUp() override {
    JOBD_REQUIRE_PROGRAM(GetParam());
    const std::string shell = GetParam();
    // What is typed is not run but shown.
    const std::string show =
        shell == "fish" ? "function jobctl\n echo -n GOT\n printf '[%s]' $argv\n echo END\nend\nfunction fish_prompt\n echo "
                          "'READY> '\nend\nset fish_greeting\n"
                        : "jobctl() { printf GOT; printf '[%s]' \"$@\"; echo END; }\nPS1='READY> '\n";
    const std::string script = RunCommand({{Binary("jobctl"), "completion", shell}, {}, {}, "/"}).out;
    Command command{{}, daemon_->Ctl({}).env, {}, home_ + "/work"};
    command.env.emplace_back("HOME", home_);
    command.env.emplace_back("PATH", home_ + "/bin:/usr/bin:/bin");
    command.env.emplace_back("LANG", "C.UTF-8");
    if (shell == "bash") {
      WriteFile(home_ + "/rc", "bind 'set bell-style none'\n" + script + show);
      command.argv = {"/bin/bash", "--noprofile", "--rcfile", home_ + "/rc", "-i"};
    } else if (shell == "zsh") {
      WriteFile(home_ + "/.zshrc", "unsetopt beep\n" + show + script);
      command.env.emplace_back("ZDOTDIR", home_);
      command.argv = {"/usr/bin/zsh", "-d", "-i"};
    } else {
      WriteFile(home_ + "/rc.fish", script + show);
      command.argv = {"/usr/bin/fish", "--no-config", "-i", "-C", "source " + home_ + "/rc.fish"};
    }
    terminal_.emplace(command, 200);
    ASSERT_TRUE(terminal_->WaitFor("READY> ")) << terminal_->seen();
  }

  // The words that a line has when TAB and Enter were pressed behind it.
  std::string Completed(const std::string& line, bool changes = true) {
    const size_t begin = terminal_->seen().size();
    terminal_->Type(line);
    if (std::string(GetParam()) == "zsh") {
      // It completes nothing while more keys are waiting.
      EXPECT_TRUE(terminal_->WaitFor(line.substr(0, line.find_last_not_of(' ') + 1))) << terminal_->seen().substr(begin);
      terminal_->Type("\t");
      if (changes) terminal_->WaitForMore();
      terminal_->Type("\r");
    } else {
      terminal_->Type("\t\r");
    }
    if (!terminal_->WaitFor("]END")) return "no answer: " + terminal_->seen().substr(begin);
    EXPECT_TRUE(terminal_->WaitFor("READY> "));
    const std::string shown = terminal_->seen().substr(begin);
    const size_t end = shown.find("]END") + 1;
    const size_t got = shown.rfind("GOT[", end) + 3;
    return shown.substr(got, end - got);
  }

  std::optional<Terminal> terminal_;
  static inline std::string home_;
};
INSTANTIATE_TEST_SUITE_P(Shells, CompletionTest, testing::Values("bash", "zsh", "fish"),
                         [](const auto& shell) { return std::string(shell.param); });

TEST_P(CompletionTest, FaultC19VerbsAndOptions) {
  EXPECT_EQ(Completed("jobctl cance"), "[cancel]");
  EXPECT_EQ(Completed("jobctl --no-color stat"), "[--no-color][status]");
  EXPECT_EQ(Completed("jobctl admin statu"), "[admin][status]");
  EXPECT_EQ(Completed("jobctl run --mem"), "[run][--memory]");
  EXPECT_EQ(Completed("jobctl list --no-c"), "[list][--no-color]") << "global ones stand behind the verb, too";
}

TEST_P(CompletionTest, FaultC19ValuesOfOptions) {
  EXPECT_EQ(Completed("jobctl run --profile str"), "[run][--profile][strict]");
  EXPECT_EQ(Completed("jobctl list -o w"), "[list][-o][wide]");
  EXPECT_EQ(Completed("jobctl list --output=w"), "[list][--output=wide]");
  EXPECT_EQ(Completed("jobctl kill -s HU"), "[kill][-s][HUP]");
  EXPECT_EQ(Completed("jobctl --context hou"), "[--context][house]");
  EXPECT_EQ(Completed("jobctl context use bo"), "[context][use][boat]");
  EXPECT_EQ(Completed("jobctl run --priority ur"), "[run][--priority][urgent]");
  EXPECT_EQ(Completed("jobctl list --filter state=timed"), "[list][--filter][state=timed_out]");
}

TEST_P(CompletionTest, FaultC19FilesAndFolders) {
  EXPECT_EQ(Completed("jobctl submit -f ba"), "[submit][-f][batch.yaml]");
  EXPECT_EQ(Completed("jobctl submit --wait --file=ba"), "[submit][--wait][--file=batch.yaml]");
  // zsh takes the slash away when Enter follows.
  EXPECT_THAT(Completed("jobctl run --workdir fol"), testing::AnyOf("[run][--workdir][folder/]", "[run][--workdir][folder]"));
  EXPECT_EQ(Completed("jobctl run -- cat ba"), "[run][--][cat][batch.yaml]");
}

TEST_P(CompletionTest, FaultC19IdsWithColons) {
  EXPECT_EQ(Completed("jobctl logs -f ended:o"), "[logs][-f][ended:one]");
  EXPECT_EQ(Completed("jobctl status ended:two live"), "[status][ended:two][live:three]");
  EXPECT_EQ(Completed("jobctl status las"), "[status][last]");
  EXPECT_EQ(Completed("jobctl logs ended:one/"), "[logs][ended:one/1]");
}

TEST_P(CompletionTest, FaultC19OnlyWhatAVerbCanTake) {
  EXPECT_EQ(Completed("jobctl cancel "), "[cancel][live:three]") << "it alone has not ended";
  EXPECT_EQ(Completed("jobctl rm ended:o"), "[rm][ended:one]");
  EXPECT_EQ(Completed("jobctl rm li", false), "[rm][li]") << "what has not ended cannot be removed";
  EXPECT_EQ(Completed("jobctl cancel -t 5s "), "[cancel][-t][5s][live:three]") << "the value of an option is no ID";
}

class DeadServer : public DaemonSuite<DeadServer> {};

// Somebody looks at a command line that takes no key meanwhile.
TEST_F(DeadServer, FaultC19CompletionWaitsASecondAtMost) {
  ASSERT_TRUE(daemon_->running());
  const auto complete = [](std::vector<std::string> globals) {
    globals.insert(globals.end(), {"cancel", ""});
    globals.insert(globals.begin(), "__complete");
    const auto begun = std::chrono::steady_clock::now();
    const Output output = daemon_->Do(globals);
    EXPECT_EQ(output.out, "words\n");
    return std::chrono::steady_clock::now() - begun;
  };
  // One that accepts connections and says nothing.
  const auto listener = base::Listen("127.0.0.1:0");
  ASSERT_TRUE(listener.ok());
  EXPECT_LT(complete({"--address", listener->address}), std::chrono::seconds(20));
  // And one that has stopped.
  ASSERT_EQ(::kill(daemon_->ServerPid(), SIGSTOP), 0);
  EXPECT_LT(complete({}), std::chrono::seconds(20));
  ASSERT_EQ(::kill(daemon_->ServerPid(), SIGCONT), 0);
}

}  // namespace
}  // namespace jobd::e2e
