// What authors of batch files and options get wrong: that it is refused, and in which words.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "cli/batch/author_names.h"
#include "cli/batch/batch_file.h"
#include "cli/batch/job_options.h"
#include "tests/support/temp_dir.h"

namespace jobd::cli {
namespace {

using testing::HasSubstr;

class MistakesTest : public testing::Test {
 protected:
  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << text;
    return folder_ + "/" + name;
  }
  // What is said of a file with that content.
  base::Error Of(const std::string& text, const std::string& name = "batch") const {
    auto batch = LoadBatchFile(Write(name, text));
    return batch.ok() ? base::Error(base::Code::kInternal, "accepted") : std::move(batch).error();
  }
  const test::TempDir temp_;
  const std::string folder_ = temp_.path();
};

// Keys of several words, and blocks of text, were run as shell commands.
TEST_F(MistakesTest, FaultA6AKeyOfSeveralWordsIsNotRunAsShell) {
  for (const std::string text : {"job name: x\njobs: y\n", "a b c: x\n", "my jobs:\n  - make\n", "# c\n\n\"a\" b: c\n- x\n",
                                 "|\n  make\n", "|-\nmake\n", ">\n  make\n", "make all:\n", "überall hin: x\n"}) {
    const bool quoted = text.find('"') != std::string::npos;
    EXPECT_EQ(DetectFormat("", text), quoted ? BatchFormat::kLines : BatchFormat::kYaml) << text;
  }
  for (const std::string text :
       {"echo a: b\n", "printf 'x: %s' y\n", "curl -H 'A: b' c\n", "git commit -m a: b\n", "make -C x : y\n", "> f\n",
        "./run a: b\n", "ls | sed s: x: \n", "make : x\n", "A=b make c: d\n", "test a: = b\n"})
    EXPECT_EQ(DetectFormat("", text), BatchFormat::kLines) << text;
  const base::Error error = Of("job name: x\njobs: y\n");
  EXPECT_EQ(error.code(), base::Code::kInvalidArgument);
  EXPECT_THAT(error.message(), HasSubstr(":1: unknown key 'job name'"));
  EXPECT_THAT(error.message(), HasSubstr("first line makes this YAML; shell commands, one a line, need --format lines"));
  EXPECT_EQ(Of("job name: x\n", "b.yaml").message().find("--format"), std::string::npos) << "its author calls it so";
  EXPECT_EQ(LoadBatchFile(Write("batch", "make all: x\n"), "lines")->jobs.at(0).argv.at(0), "make all: x");
}

TEST_F(MistakesTest, FaultC9AKeyInTheWrongPlaceIsToldWhereItBelongs) {
  for (const std::string key : {"timeout: 3s", "memory: 1G", "env: {A: 1}", "workdir: /x"})
    EXPECT_THAT(Of(key + "\njobs: [make]\n").message(),
                HasSubstr("it is a key of a job; for all jobs it belongs under `defaults:`"))
        << key;
  EXPECT_THAT(Of("shell: x\njobs: [make]\n").message(), HasSubstr("belongs in an item of `jobs:`"));
  EXPECT_THAT(Of("jobs:\n- {shell: x, parallel: 3}\n").message(),
              HasSubstr(":2: unknown key 'parallel': it is a key of the batch"));
  EXPECT_THAT(Of("tiemout: 3s\njobs: [make]\n", "b.yml").message(), HasSubstr("unknown key 'tiemout'"));
}

TEST_F(MistakesTest, FaultC6AMarkBeforeAScript) {
  const base::Error error = Of("\xef\xbb\xbf#!/bin/bash\necho x\n");
  EXPECT_THAT(error.message(), HasSubstr(":1: a byte order mark stands before the #!"));
  EXPECT_EQ(error.code(), base::Code::kInvalidArgument);
  EXPECT_EQ(DetectFormat("x", "\xef\xbb\xbf#!/bin/bash\n"), BatchFormat::kScript);
}

// A blank was refused from a file of variables alone, '=' and NUL only by the service, which knows neither file nor line.
TEST_F(MistakesTest, FaultC10OneRuleForNamesOfVariablesWhereverTheyStand) {
  const std::string nul("A\0B", 3);
  for (const auto& [name, why] : std::vector<std::pair<std::string, std::string>>{
           {"A B", "has a blank"}, {"A\tB", "has a blank"}, {nul, "NUL byte"}, {"", "has no name"}}) {
    JobOptions options;
    options.env = {name + "=1"};
    EXPECT_THAT(BuildJob(options).error().message(), HasSubstr(why)) << name;
    const std::string file = Write("env", "X=1\n" + name + "=1\n");
    options.env.clear();
    options.env_files = {file};
    const auto from_file = BuildJob(options);
    ASSERT_FALSE(from_file.ok()) << name;
    EXPECT_THAT(from_file.error().message(), HasSubstr("--env-file: " + file + ":2: ")) << name;
    EXPECT_THAT(from_file.error().message(), HasSubstr(why)) << name;
    const std::string in_yaml = name == nul ? "\"A\\0B\"" : "\"" + name + "\"";
    EXPECT_THAT(Of("- shell: x\n  env:\n    " + in_yaml + ": 1\n").message(), HasSubstr("batch:3: env: ")) << name;
  }
  EXPECT_THAT(Of("- shell: x\n  env: {\"A=B\": 1}\n").message(), HasSubstr("holds a '='"));
  EXPECT_THAT(Of("- shell: x\n  env: {A: \"1\\0\"}\n").message(), HasSubstr("value of 'A' holds a NUL byte"));
  EXPECT_THAT(Of("- shell: x\n  env: [\"A B=1\"]\n").message(), HasSubstr("batch:2: env: "));
  JobOptions utf16;
  utf16.env_files = {Write("env", std::string("\xff\xfe"
                                              "A\0=\0"
                                              "1\0",
                                              8))};
  EXPECT_THAT(BuildJob(utf16).error().message(), HasSubstr("env:1: "));
  EXPECT_THAT(BuildJob(utf16).error().message(), HasSubstr("not UTF-16"));
  EXPECT_EQ(BuildJob(utf16).error().message().find('\0'), std::string::npos) << "it is shown";
}

// Programs that read errors as JSON had nothing but a sentence.
TEST_F(MistakesTest, FaultC22EachMistakeHasAFieldAndAProblem) {
  const auto check = [](const base::Error& error, const std::string& field, const std::string& problem) {
    ASSERT_EQ(error.violations().size(), 1u) << error.message();
    EXPECT_THAT(error.violations()[0].field, testing::EndsWith(field));
    EXPECT_THAT(error.violations()[0].problem, HasSubstr(problem));
    EXPECT_THAT(error.message(), testing::StartsWith(error.violations()[0].field + ": " + error.violations()[0].problem));
    EXPECT_EQ(AuthorsName(error.violations()[0].field, {}), error.violations()[0].field) << "it is its author's name already";
  };
  check(Of("jobs:\n- {shell: x, memory: lots}\n"), "batch:2: memory", "'lots' is not a size");
  check(Of("jobs:\n- {shell: x, argv: y}\n", "job.yaml"), "job.yaml:2: argv", "must be a list");
  check(Of("jobs:\n- {shell: x, evn: y}\n", "labels.yaml"), "labels.yaml:2", "unknown key 'evn'");
  check(Of("{\"shell\": x}\n", "options.json"), "options.json:1", "not JSON");
  check(Of("jobs: [\n", "b.yaml"), "b.yaml:2", "not YAML");
  check(Of("- {shell: x, stdin: /no/such}\n"), "batch:1: stdin", "No such file");
  JobOptions options;
  options.job_fields = {{FindField(JobFields(), "timeout"), "soon"}};
  check(BuildJob(options).error(), "--timeout", "'soon'");
  JobOptions labels;
  labels.labels = {"x"};
  check(BuildBatch(labels).error(), "--label", "is not a label");
  // A file that is missing is no wrong usage.
  EXPECT_NE(Of("- {shell: x, stdin: /no/such}\n").sys_errno(), 0);
}

}  // namespace
}  // namespace jobd::cli
