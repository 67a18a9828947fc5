#include "cli/batch/batch_file.h"
#include "tests/support/temp_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "cli/batch/job_keys.h"
#include "jobd/v1/types.pb.h"

namespace jobd::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

std::string Refusal(BatchFormat format, const std::string& text) {
  const auto batch = ParseBatchFile(format, "f", text, "");
  if (batch.ok()) return "accepted";
  EXPECT_EQ(batch.error().code(), base::Code::kInvalidArgument);
  return batch.error().message();
}

BatchFile Accepted(BatchFormat format, const std::string& text) {
  auto batch = ParseBatchFile(format, "f", text, "");
  EXPECT_TRUE(batch.ok()) << (batch.ok() ? "" : batch.error().message());
  return batch.ok() ? std::move(batch).value() : BatchFile{};
}

TEST(BatchFileTest, NamesLineAndKeyOfAMistake) {
  const auto json = BatchFormat::kJsonLines;
  EXPECT_EQ(Refusal(json, "{\"argv\":[\"a\"]}\n\n{\"argv\":[\"a\"],\"tiemout\":3}\n"),
            "f:3: unknown key 'tiemout' (did you mean 'timeout'?)");
  EXPECT_EQ(Refusal(json, "{\"argv\":[]}"), "f:1: argv: must not be empty");
  EXPECT_EQ(Refusal(json, "{\"name\":\"x\"}"), "f:1: the job has neither argv nor shell");
  EXPECT_THAT(Refusal(json, "{\"argv\":[\"a\"],\"memory\":\"lots\"}"), HasSubstr("f:1: memory: 'lots' is not a size"));
  EXPECT_THAT(Refusal(json, "{\"argv\":[\"a\"],\"shell\":\"b\"}"), HasSubstr("one of the two"));
  EXPECT_THAT(Refusal(json, "{\"argv\":[\"a\"],\"name\":null}"), HasSubstr("name: has no value"));
  EXPECT_THAT(Refusal(json, "{\"argv\":\"ls -l\"}"), HasSubstr("must be a list"));
  EXPECT_THAT(Refusal(json, "{\"argv\":[[\"a\"]]}"), HasSubstr("argv[0]"));
  EXPECT_THAT(Refusal(json, "{\"argv\":[\"a\"],\"argv\":[\"b\"]}"), HasSubstr("twice"));
  EXPECT_THAT(Refusal(json, "{\"argv\":[\"a\"\n"), HasSubstr("f:1: not JSON"));
  EXPECT_THAT(Refusal(json, "[1]"), HasSubstr("a job must be a shell command, or a map"));
  EXPECT_THAT(Refusal(BatchFormat::kYaml, "jobs:\n- argv: [a]\n- argv: [a]\n  evn: {}\n"),
              HasSubstr("f:4: unknown key 'evn' (did you mean 'env'?)"));
  EXPECT_THAT(Refusal(BatchFormat::kYaml, "paralel: 3\njobs: [{shell: a}]\n"), HasSubstr("did you mean 'parallel'?"));
  EXPECT_THAT(Refusal(BatchFormat::kYaml, "- 3\n"), HasSubstr("f:1: a job must be a shell command, or a map"));
  EXPECT_THAT(Refusal(BatchFormat::kJson, "[\n{\"argv\":[\"a\"]},\n{\"nmae\":\"x\",\"argv\":[\"a\"]}\n]"),
              HasSubstr("f:3: unknown key 'nmae'"));
}

TEST(BatchFileTest, AKeyIsNotThereTwiceHoweverManyThereAre) {
  for (const int keys : {2, 31, 32, 33, 34, 1000}) {
    for (const int repeated : {0, keys / 2, keys - 1}) {
      std::string json = "{\"argv\":[\"a\"],\"env\":{";
      std::string yaml = "- argv: [a]\n  env:\n";
      for (int i = 0; i < keys; ++i) {
        json += "\"K" + std::to_string(i) + "\":\"v\",";
        yaml += "    K" + std::to_string(i) + ": v\n";
      }
      const std::string key = "K" + std::to_string(repeated);
      const std::string problem = "the key '" + key + "' is there twice";
      EXPECT_THAT(Refusal(BatchFormat::kJsonLines, json + "\"" + key + "\":\"w\"}}"), HasSubstr(problem));
      EXPECT_THAT(Refusal(BatchFormat::kYaml, yaml + "    " + key + ": w\n"), HasSubstr(problem));
      EXPECT_EQ(Accepted(BatchFormat::kJsonLines, json + "\"M\":{\"base64\":\"\"},\"N\":\"\"}}").jobs[0].env.size(),
                static_cast<size_t>(keys) + 2);
      EXPECT_EQ(Accepted(BatchFormat::kYaml, yaml + "    M: {base64: ''}\n    N: ''\n").jobs[0].env.size(),
                static_cast<size_t>(keys) + 2);
    }
  }
}

TEST(BatchFileTest, NothingIsNoBatch) {
  EXPECT_THAT(Refusal(BatchFormat::kLines, "# only\n\n"), HasSubstr("no job"));
  EXPECT_THAT(Refusal(BatchFormat::kJsonLines, ""), HasSubstr("no job"));
  EXPECT_THAT(Refusal(BatchFormat::kYaml, "jobs: []"), HasSubstr("no job"));
  EXPECT_THAT(Refusal(BatchFormat::kYaml, ""), HasSubstr("nothing"));
}

TEST(BatchFileTest, BoundsHold) {
  const std::string deep(100'000, '[');
  EXPECT_THAT(Refusal(BatchFormat::kJson, deep), HasSubstr("too deeply"));
  EXPECT_THAT(Refusal(BatchFormat::kYaml, deep), testing::Not(HasSubstr("accepted")));
  // The billion laughs: nine levels of nine aliases each.
  std::string laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string below = "*a" + std::to_string(i - 1);
    laughs += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + below;
    for (int j = 0; j < 8; ++j) laughs += ", " + below;
    laughs += "]\n";
  }
  EXPECT_THAT(Refusal(BatchFormat::kYaml, laughs), HasSubstr("too many values"));
}

TEST(BatchFileTest, JsonLines) {
  const BatchFile batch =
      Accepted(BatchFormat::kJsonLines,
               "{\"argv\":[\"ls\",\"-l\",\"\"],\"name\":\"n\",\"env\":{\"A\":\"1\",\"N\":2},\"timeout\":90,\"kill_after\":\"0s\","
               "\"memory\":\"1G\",\"cpus\":1.5,\"pids\":7,\"profile\":\"p\",\"user\":\"u\",\"retries\":2,\"workdir\":\"/w\","
               "\"stdin\":{\"text\":\"in\"}}\n"
               "{\"shell\":\"ls | wc -l\"}\n{\"argv\":[\"a\",{\"base64\":\"/w==\"}]}\n");
  ASSERT_EQ(batch.jobs.size(), 3u);
  const JobDraft& first = batch.jobs[0];
  EXPECT_THAT(first.argv, ElementsAre("ls", "-l", ""));
  EXPECT_FALSE(first.shell);
  EXPECT_THAT(first.env, ElementsAre(Pair("A", "1"), Pair("N", "2")));
  v1::JobSpec spec;
  ToProto(first, &spec);
  EXPECT_EQ(spec.name(), "n");
  EXPECT_EQ(spec.timeout().seconds(), 90);
  EXPECT_TRUE(spec.has_kill_after()) << "0s is not the default";
  EXPECT_EQ(spec.limits().memory_bytes(), uint64_t{1} << 30);
  EXPECT_EQ(spec.limits().cpu_millis(), 1500u);
  EXPECT_EQ(spec.limits().pids(), 7u);
  EXPECT_EQ(spec.profile(), "p");
  EXPECT_EQ(spec.user(), "u");
  EXPECT_EQ(spec.retries(), 2u);
  EXPECT_EQ(spec.workdir(), "/w");
  EXPECT_EQ(spec.stdin(), "in");
  EXPECT_TRUE(batch.jobs[1].shell);
  EXPECT_THAT(batch.jobs[1].argv, ElementsAre("ls | wc -l"));
  EXPECT_THAT(batch.jobs[2].argv, ElementsAre("a", "\xff"));
}

TEST(BatchFileTest, Base64HasOneSpelling) {
  for (const std::string bad : {"/w", "/w=", "/w===", "/x==", "a", "====", "a b=", "AA==\\n", "_w=="}) {
    EXPECT_EQ(Refusal(BatchFormat::kJsonLines, "{\"argv\":[{\"base64\":\"" + bad + "\"}]}"), "f:1: argv[0]: is not base64") << bad;
  }
  const auto argument = [](const std::string& encoded) {
    return Accepted(BatchFormat::kJsonLines, "{\"argv\":[{\"base64\":\"" + encoded + "\"}]}").jobs.at(0).argv.at(0);
  };
  EXPECT_EQ(argument(""), "");
  EXPECT_EQ(argument("Zm9vYg=="), "foob");
  EXPECT_EQ(argument("AP+A"), std::string("\0\xff\x80", 3));
}

TEST(BatchFileTest, YamlWithBatchOptions) {
  const BatchFile batch =
      Accepted(BatchFormat::kYaml,
               "name: nightly\nlabels: {team: a}\nparallel: 4\nfail_fast: true\npriority: urgent\n"
               "jobs:\n  - argv: [sleep, 5]\n    env: [A=1, B=x=y]\n  - shell: |\n      echo one\n      echo two\n"
               "  - shell: true\n  - argv: [script, p]\n    shell: true\n");
  EXPECT_THAT(batch.options.labels, ElementsAre(Pair("team", "a")));
  v1::BatchOptions options;
  ToProto(batch.options, &options);
  EXPECT_EQ(options.name(), "nightly");
  EXPECT_EQ(options.parallel(), 4u);
  EXPECT_TRUE(options.fail_fast());
  EXPECT_EQ(options.priority(), v1::PRIORITY_URGENT);
  ASSERT_EQ(batch.jobs.size(), 4u);
  EXPECT_THAT(batch.jobs[0].argv, ElementsAre("sleep", "5"));
  EXPECT_THAT(batch.jobs[0].env, ElementsAre(Pair("A", "1"), Pair("B", "x=y")));
  EXPECT_THAT(batch.jobs[1].argv, ElementsAre("echo one\necho two\n"));
  EXPECT_THAT(batch.jobs[2].argv, ElementsAre("true")) << "without argv it is the command";
  EXPECT_THAT(batch.jobs[3].argv, ElementsAre("script", "p"));
  EXPECT_TRUE(batch.jobs[3].shell);
}

TEST(BatchFileTest, YamlAliasesAreExpanded) {
  const BatchFile batch = Accepted(BatchFormat::kYaml, "- {argv: [a], env: &e {A: 1}}\n- {argv: [b], env: *e}\n");
  ASSERT_EQ(batch.jobs.size(), 2u);
  EXPECT_EQ(batch.jobs[0].env, batch.jobs[1].env);
}

TEST(BatchFileTest, PlainLinesAreShellCommandsAsTheyStand) {
  const BatchFile batch = Accepted(BatchFormat::kLines, "# no\n  echo  'a b'\r\n\nls # not a comment of ours\n");
  ASSERT_EQ(batch.jobs.size(), 2u);
  EXPECT_THAT(batch.jobs[0].argv, ElementsAre("  echo  'a b'"));
  EXPECT_THAT(batch.jobs[1].argv, ElementsAre("ls # not a comment of ours"));
  EXPECT_TRUE(batch.jobs[0].shell);
}

TEST(BatchFileTest, DetectsByExtensionThenContent) {
  EXPECT_EQ(DetectFormat("a.yaml", "echo hi"), BatchFormat::kYaml);
  EXPECT_EQ(DetectFormat("a.yml", ""), BatchFormat::kYaml);
  EXPECT_EQ(DetectFormat("a.txt", "echo hi"), BatchFormat::kLines);
  EXPECT_EQ(DetectFormat("a.jsonl", "{"), BatchFormat::kJsonLines);
  EXPECT_EQ(DetectFormat("a.json", "[\n"), BatchFormat::kJson);
  EXPECT_EQ(DetectFormat("", "{\"argv\":[\"a\"]}\n"), BatchFormat::kJsonLines);
  EXPECT_EQ(DetectFormat("", "{\"jobs\":[]}"), BatchFormat::kJson);
  EXPECT_EQ(DetectFormat("", "[{\"argv\":[\"a\"]}]"), BatchFormat::kJson);
  EXPECT_EQ(DetectFormat("", "# c\nname: x\njobs:\n"), BatchFormat::kYaml);
  EXPECT_EQ(DetectFormat("", "- argv: [a]\n"), BatchFormat::kYaml);
  EXPECT_EQ(DetectFormat("", "---\njobs: []\n"), BatchFormat::kYaml);
  EXPECT_EQ(DetectFormat("", "echo hi\n"), BatchFormat::kLines);
  EXPECT_EQ(DetectFormat("", "{ echo a; echo b; }\n"), BatchFormat::kLines);
  EXPECT_EQ(DetectFormat("", "[ -f x ] && echo y\n"), BatchFormat::kLines);
  EXPECT_EQ(DetectFormat("", "PATH=/x:/y make\n"), BatchFormat::kLines);
  EXPECT_EQ(DetectFormat("", ""), BatchFormat::kLines);
}

// Keys that were added later were forgotten in a second list, so that each line of such a file was run as a shell command.
TEST(BatchFileTest, EveryKeyAtTheBeginningIsYaml) {
  for (const std::vector<std::string>& keys : {JobKeys(), BatchKeys()}) {
    for (const std::string& key : keys) {
      EXPECT_EQ(DetectFormat("", key + ": 1\nargv: [a]\n"), BatchFormat::kYaml) << key;
      EXPECT_EQ(DetectFormat("", "\"" + key + "\": 1\nargv: [a]\n"), BatchFormat::kYaml) << key;
      EXPECT_EQ(DetectFormat("", key + " x\n"), BatchFormat::kLines) << key;
    }
  }
  for (const std::string command :
       {"PATH=/x:/y make", "PATH=/x: make", "\": x", ": > file", "echo a: b", "! grep x", "%1", "*/run", "> f"}) {
    EXPECT_EQ(DetectFormat("", command + "\n"), BatchFormat::kLines) << command;
  }
}

// A key that this version does not know made each line a shell command.
TEST(BatchFileTest, FaultA6WhatBeginsLikeDataIsNeverRunAsShell) {
  for (const std::string data : {"output: x",
                                 "outputs: x",
                                 "frobnicate:\n  x",
                                 "my-key: 1",
                                 "\"a b\": 1",
                                 "'a b': 1",
                                 "jobs : []",
                                 "!jobs []",
                                 "!!map {}",
                                 "%YAML 1.2\n---\njobs: []",
                                 "%TAG ! x",
                                 "--- !x",
                                 "---",
                                 "...",
                                 "? a",
                                 "&a jobs",
                                 "-\n  argv: [a]",
                                 "- make",
                                 "{argv: [a]}",
                                 "{ argv: [a] }",
                                 "\xef\xbb\xbf"
                                 "echo hi",
                                 "\xff\xfe"
                                 "e",
                                 "\xfe\xff"
                                 "e"}) {
    EXPECT_EQ(DetectFormat("", data + "\n"), BatchFormat::kYaml) << data;
    EXPECT_EQ(DetectFormat("b.txt", data + "\n"), BatchFormat::kYaml) << data;
    EXPECT_EQ(DetectFormat("b.sh", "# a comment\n" + data + "\n"), data[0] < 0 ? BatchFormat::kLines : BatchFormat::kYaml) << data;
  }
  EXPECT_EQ(DetectFormat("", "[\"echo x\"]"), BatchFormat::kJson);
  EXPECT_EQ(DetectFormat("", "\xef\xbb\xbf{\"argv\":[\"a\"]}"), BatchFormat::kJsonLines);
  EXPECT_THAT(Refusal(BatchFormat::kYaml, "output: x\nmake: y\n"), HasSubstr("f:1: unknown key 'output'"));
  EXPECT_THAT(Refusal(BatchFormat::kYaml,
                      "\xef\xbb\xbf"
                      "echo hi\n"),
              HasSubstr("--format lines"));
  EXPECT_EQ(*FormatNamed("lines", "output: x"), BatchFormat::kLines);
  EXPECT_EQ(*FormatNamed("yaml", "echo"), BatchFormat::kYaml);
  EXPECT_EQ(*FormatNamed("json", "{\"argv\":[\"a\"]}\n"), BatchFormat::kJsonLines);
  EXPECT_EQ(*FormatNamed("json", "{\"jobs\":[]}\n"), BatchFormat::kJson);
  EXPECT_FALSE(FormatNamed("toml", "").ok());
}

TEST(BatchFileTest, FaultC6AScriptIsOneJob) {
  const std::string script = "#!/bin/bash -e\nif true; then\n  echo a\nfi\n";
  EXPECT_EQ(DetectFormat("s.sh", script), BatchFormat::kScript);
  EXPECT_EQ(DetectFormat("", script), BatchFormat::kScript);
  const BatchFile batch = Accepted(BatchFormat::kScript, script);
  ASSERT_EQ(batch.jobs.size(), 1u);
  EXPECT_THAT(batch.jobs[0].argv, ElementsAre("/bin/bash", "-e", "-c", script, "f"));
  EXPECT_FALSE(batch.jobs[0].shell);
  const std::string python = "#!/usr/bin/env python3\nprint(1)\n";
  EXPECT_THAT(Accepted(BatchFormat::kScript, python).jobs.at(0).argv, ElementsAre("/usr/bin/env", "python3", "-c", python));
  const std::string split = "#!/usr/bin/env -S A=1 perl -w\nprint 1\n";
  EXPECT_THAT(Accepted(BatchFormat::kScript, split).jobs.at(0).argv, ElementsAre("/usr/bin/env", "-S A=1 perl -w", "-e", split));
  EXPECT_THAT(Refusal(BatchFormat::kScript, "#!/usr/bin/awk -f\n{print}\n"), HasSubstr("f:1: a script of 'awk'"));
  EXPECT_THAT(Refusal(BatchFormat::kScript, "#!\n"), HasSubstr("f:1: "));
  EXPECT_THAT(Refusal(BatchFormat::kScript, "#!/bin/sh\n" + std::string(200'000, 'x')), HasSubstr("bytes"));
  EXPECT_THAT(Refusal(BatchFormat::kScript, std::string("#!/bin/sh\n\0", 11)), HasSubstr("NUL"));
}

TEST(BatchFileTest, FaultC6ALineGoesOnBehindABackslash) {
  const BatchFile batch = Accepted(BatchFormat::kLines, "make \\\n  all \\\n  test\necho a\\\\\n# no \\\necho b\nlast \\");
  ASSERT_EQ(batch.jobs.size(), 4u);
  EXPECT_THAT(batch.jobs[0].argv, ElementsAre("make \\\n  all \\\n  test"));
  EXPECT_EQ(batch.jobs[0].line, 1);
  EXPECT_THAT(batch.jobs[1].argv, ElementsAre("echo a\\\\")) << "an escaped backslash escapes nothing";
  EXPECT_THAT(batch.jobs[2].argv, ElementsAre("echo b"));
  EXPECT_EQ(batch.jobs[2].line, 6);
  EXPECT_THAT(batch.jobs[3].argv, ElementsAre("last \\"));
}

TEST(BatchFileTest, FaultC9DefaultsForAllJobs) {
  const BatchFile batch = Accepted(BatchFormat::kYaml,
                                   "defaults: {timeout: 10m, memory: 1G, env: {A: 1, B: 2}, profile: p}\n"
                                   "jobs:\n  - echo x\n  - {argv: [a], memory: 2G, env: {B: 3}}\n");
  ASSERT_EQ(batch.jobs.size(), 2u);
  v1::JobSpec first;
  ToProto(batch.jobs[0], &first);
  EXPECT_EQ(first.timeout().seconds(), 600);
  EXPECT_EQ(first.profile(), "p");
  EXPECT_THAT(batch.jobs[0].argv, ElementsAre("echo x"));
  EXPECT_TRUE(batch.jobs[0].shell);
  v1::JobSpec second;
  ToProto(batch.jobs[1], &second);
  EXPECT_EQ(second.limits().memory_bytes(), uint64_t{2} << 30);
  EXPECT_EQ(second.env_size(), 2);
  EXPECT_EQ(second.env(1).value(), "3");
  EXPECT_THAT(Refusal(BatchFormat::kYaml, "jobs: [a]\ndefaults: {argv: [a]}\n"), HasSubstr("f:2: defaults: argv"));
  EXPECT_THAT(Refusal(BatchFormat::kYaml, "jobs: [a]\ndefaults: {tiemout: 3}\n"), HasSubstr("did you mean 'timeout'?"));
  EXPECT_THAT(Refusal(BatchFormat::kYaml, "jobs: [a]\ndefaults: 3\n"), HasSubstr("must be a map"));
}

TEST(BatchFileTest, FaultC9MergeKeysTagsAndBinary) {
  const BatchFile merged = Accepted(BatchFormat::kYaml,
                                    "- &base {argv: [a], memory: 1G, name: one}\n- {<<: *base, name: two}\n"
                                    "- {name: three, <<: [{memory: 3G}, *base]}\n");
  ASSERT_EQ(merged.jobs.size(), 3u);
  for (const auto& [index, memory, name] : {std::tuple{1, 1, "two"}, std::tuple{2, 3, "three"}}) {
    v1::JobSpec spec;
    ToProto(merged.jobs[static_cast<size_t>(index)], &spec);
    EXPECT_EQ(spec.limits().memory_bytes(), static_cast<uint64_t>(memory) << 30);
    EXPECT_EQ(spec.name(), name);
    EXPECT_EQ(spec.argv(0), "a");
  }
  EXPECT_THAT(Refusal(BatchFormat::kYaml, "- {argv: [a], <<: 3}\n"), HasSubstr("<< must be followed by a map"));
  EXPECT_THAT(Refusal(BatchFormat::kYaml, "- {argv: [a], \"<<\": {name: x}}\n"), HasSubstr("unknown key '<<'"));
  EXPECT_THAT(Accepted(BatchFormat::kYaml, "- argv: [a, !!binary /w==, !!str 3]\n").jobs.at(0).argv, ElementsAre("a", "\xff", "3"));
  EXPECT_THAT(Refusal(BatchFormat::kYaml, "- argv: [!!binary '*']\n"), HasSubstr("f:1: !!binary: is not base64"));
  for (const std::string tag : {"!secret x", "!!set {a, b}", "!<tag:x,2020:y> z", "!!python/object x"}) {
    EXPECT_THAT(Refusal(BatchFormat::kYaml, "- argv: [" + tag + "]\n"), HasSubstr("is not known here")) << tag;
  }
}

TEST(BatchFileTest, FaultA11ReservedWordsAreNoIds) {
  const BatchField& id = *FindField(BatchFields(), "id");
  for (const std::string word : {"last", "last~1", "last~", "", "a b", "-x", "a/1", "\033[m"}) {
    BatchDraft draft;
    EXPECT_FALSE(draft.fields.Set(id, word).ok()) << word;
  }
  for (const std::string word : {"lasting", "LAST", "42", "a.b:c-d_e"}) {
    BatchDraft draft;
    EXPECT_TRUE(draft.fields.Set(id, word).ok()) << word;
  }
  EXPECT_THAT(Refusal(BatchFormat::kYaml, "id: last\njobs: [a]\n"), HasSubstr("f:1: id: 'last' is no ID"));
}

class BatchFileFilesTest : public testing::Test {
 protected:
  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ + "/" + name) << text;
    return folder_ + "/" + name;
  }
  const test::TempDir temp_;
  const std::string folder_ = temp_.path();
};

TEST_F(BatchFileFilesTest, FilesThatJobsReferToAreSoughtBesideTheBatchFile) {
  Write("env", "A=from file\n# comment\nB=2\n");
  Write("in", "input");
  const auto batch = LoadBatchFile(Write("b.yaml", "- {argv: [a], env_file: env, env: {A: own}, stdin: in}\n"));
  ASSERT_TRUE(batch.ok()) << batch.error().message();
  EXPECT_THAT(batch->jobs[0].env, ElementsAre(Pair("A", "from file"), Pair("B", "2"), Pair("A", "own")));
  EXPECT_EQ(batch->jobs[0].stdin_data, "input");
}

TEST_F(BatchFileFilesTest, FaultC10EnvFilesAsPeopleHaveThem) {
  JobDraft job;
  const auto read = AddEnvFile(job, Write("env",
                                          "\xef\xbb\xbf"
                                          "A=1\n  export B=2\nexport\tC = 3 \n"));
  ASSERT_FALSE(read.ok());
  EXPECT_THAT(read.error().message(), HasSubstr("env:3: 'C ' is not the name of a variable"));
  job = {};
  ASSERT_TRUE(AddEnvFile(job, Write("env",
                                    "\xef\xbb\xbf"
                                    "A=1\nexport B=2\n G=x\n\t# no\n   \r\nexport \t D= 3 \r\nexported=4\nexport=5\nE=a b=c\n"))
                  .ok());
  EXPECT_THAT(job.env, ElementsAre(Pair("A", "1"), Pair("B", "2"), Pair("G", "x"), Pair("D", " 3 "), Pair("exported", "4"),
                                   Pair("export", "5"), Pair("E", "a b=c")));
  for (const std::string bad : {"A B=1\n", "export A B=1\n", "two words\n", "=x\n"}) {
    EXPECT_THAT(AddEnvFile(job, Write("env", "X=1\n" + bad)).error().message(), HasSubstr("env:2: ")) << bad;
  }
}

TEST_F(BatchFileFilesTest, AMissingFileIsAnError) {
  EXPECT_FALSE(LoadBatchFile(folder_ + "/none.yaml").ok());
  EXPECT_FALSE(LoadBatchFile(Write("b.yaml", "- {argv: [a], stdin: none}\n")).ok());
}

TEST(BatchFileTest, FaultC5MistakesOfNewcomersAreNamed) {
  EXPECT_THAT(Refusal(BatchFormat::kYaml, "jobs:\n  - shell: a\n\t- shell: b\n"), HasSubstr("f:3: not YAML: a tab"));
  EXPECT_THAT(Refusal(BatchFormat::kYaml, "name: x\njobs:\n  build: {shell: make}\n"), HasSubstr("f:3: jobs: must be a list"));
  EXPECT_THAT(Refusal(BatchFormat::kYaml, "jobs: make\n"), HasSubstr("jobs: must be a list"));
  for (const char* word : {"command", "cmd", "run", "script"}) {
    EXPECT_THAT(Refusal(BatchFormat::kYaml, "- " + std::string(word) + ": make\n"), HasSubstr("a command is `shell: LINE` or"))
        << word;
  }
  EXPECT_THAT(Refusal(BatchFormat::kYaml, "- echo \"x: y\"\n"), HasSubstr("needs quotes around the whole of it"));
  EXPECT_THAT(Refusal(BatchFormat::kYaml, "- shel: make\n"), HasSubstr("did you mean 'shell'?"));
}

}  // namespace
}  // namespace jobd::cli
