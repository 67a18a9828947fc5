// Batch files of jobctl in each of their formats.
#include "cli/batch/batch_file.h"

#include <string>

#include "bench/pieces/piece.h"
#include "cli/batch/document.h"
#include "jobd/v1/types.pb.h"

namespace jobd::bench {
namespace {

using cli::BatchFormat;

std::string JsonJob(int64_t number) {
  const std::string text = std::to_string(number);
  return R"({"argv": ["/usr/bin/convert", "--input", "/data/in/image-)" + text + R"(.png"], "name": "image-)" + text +
         R"(", "env": {"LANG": "C.UTF-8", "TASK": ")" + text +
         R"("}, "workdir": "/data", "timeout": "10m", "memory": "512M", "retries": 2})";
}

std::string YamlJob(int64_t number) {
  const std::string text = std::to_string(number);
  return "  - argv: [/usr/bin/convert, --input, /data/in/image-" + text + ".png]\n    name: image-" + text +
         "\n    env:\n      LANG: C.UTF-8\n      TASK: \"" + text +
         "\"\n    workdir: /data\n    timeout: 10m\n    memory: 512M\n    retries: 2\n";
}

std::string TextOf(BatchFormat format, int64_t jobs) {
  std::string text;
  if (format == BatchFormat::kJson) text = "{\"name\": \"nightly\", \"jobs\": [\n";
  if (format == BatchFormat::kYaml) text = "name: nightly\njobs:\n";
  for (int64_t i = 1; i <= jobs; ++i) {
    switch (format) {
      case BatchFormat::kJson: text += JsonJob(i) + (i < jobs ? ",\n" : "\n]}\n"); break;
      case BatchFormat::kJsonLines: text += JsonJob(i) + "\n"; break;
      case BatchFormat::kYaml: text += YamlJob(i); break;
      case BatchFormat::kLines: text += "convert --input /data/in/image-" + std::to_string(i) + ".png >/dev/null\n"; break;
    }
  }
  return text;
}

template <BatchFormat format>
void BatchParse(benchmark::State& state) {
  const std::string text = TextOf(format, state.range(0));
  for (auto _ : state) {
    const auto batch = cli::ParseBatchFile(format, "batch", text, "");
    if (!Expect(state, batch.ok() && static_cast<int64_t>(batch->jobs.size()) == state.range(0), "the file cannot be read")) break;
  }
  const auto batch = cli::ParseBatchFile(format, "batch", text, "");
  v1::JobSpec last;
  if (batch.ok()) ToProto(batch->jobs.back(), &last);
  const bool all = format == BatchFormat::kLines || (last.retries() == 2 && last.env_size() == 2);
  (void)Expect(state, all, "a key was not read");
  CountItems(state, state.range(0));
  CountBytes(state, text.size());
}
BENCHMARK_TEMPLATE(BatchParse, BatchFormat::kJson)->Name("BatchParseJson")->ArgName("jobs")->Arg(1)->Arg(10'000);
BENCHMARK_TEMPLATE(BatchParse, BatchFormat::kJsonLines)->Name("BatchParseJsonLines")->ArgName("jobs")->Arg(1)->Arg(10'000);
BENCHMARK_TEMPLATE(BatchParse, BatchFormat::kYaml)->Name("BatchParseYaml")->ArgName("jobs")->Arg(1)->Arg(1000);
BENCHMARK_TEMPLATE(BatchParse, BatchFormat::kLines)->Name("BatchParseLines")->ArgName("jobs")->Arg(1)->Arg(10'000);

// One map with many keys, as an environment may be: each is looked for among those before it.
void DocumentManyKeys(benchmark::State& state, bool yaml) {
  std::string text = yaml ? "" : "{";
  const int64_t keys = state.range(0);
  for (int64_t i = 0; i < keys; ++i) {
    const std::string key = "VARIABLE_" + std::to_string(i);
    text += yaml ? key + ": x\n" : "\"" + key + "\": \"x\"" + (i + 1 < keys ? ", " : "}");
  }
  for (auto _ : state) {
    const auto node = yaml ? cli::ParseYaml(text, "f") : cli::ParseJson(text, "f", 1);
    if (!Expect(state, node.ok() && static_cast<int64_t>(node->entries.size()) == keys, "the map cannot be read")) break;
  }
  CountItems(state, keys);
}
BENCHMARK_CAPTURE(DocumentManyKeys, json, false)->ArgName("keys")->Arg(100)->Arg(10'000);
BENCHMARK_CAPTURE(DocumentManyKeys, yaml, true)->ArgName("keys")->Arg(100)->Arg(10'000);

}  // namespace
}  // namespace jobd::bench
