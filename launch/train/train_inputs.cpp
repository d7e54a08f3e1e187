#include "launch/train/train_inputs.hpp"

#include <fmt/format.h>

#include "launch/cli/data_source.hpp"
#include "launch/cli/output_place.hpp"
#include "launch/train/run_directory.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

std::vector<InputFile> inputs_of(const TrainSettings& s) {
  std::vector<InputFile> inputs = {
      {"--data", s.data}, {"--model", s.model}, {"--weights", s.weights}, {"--from", s.from}};
  const std::pair<const char*, const std::string&> arrays[] = {
      {"--sample-weight", s.sample_weight},
      {"--sample-weight-val", s.sample_weight_val},
      {"--x", s.x},
      {"--y", s.y},
      {"--x-val", s.x_val},
      {"--y-val", s.y_val},
      {"--x-test", s.x_test},
      {"--y-test", s.y_test}};
  for (const auto& [option, name] : arrays) {
    if (!name.empty()) inputs.push_back({option, array_place(s.data, name).file});
  }
  return inputs;
}

std::vector<fs::path> outputs_of(const RunDirectory& run) {
  std::vector<fs::path> outputs = run.files();
  outputs.push_back(run.lock());
  for (const CheckpointFile& file : run.checkpoint_files()) outputs.push_back(file.path);
  return outputs;
}

}  // namespace

void check_inputs_stay(const TrainSettings& settings) {
  const RunDirectory run(settings.run_dir);
  const std::vector<InputFile> inputs = inputs_of(settings);
  for (const InputFile& input : inputs) {
    check(!is_same_file(run.path(), input.path), ExitCode::kCannotCreate,
          "[{}] is the file that {} names, {}: expected a directory for --run-dir",
          printable(settings.run_dir), input.option, printable(input.path.string()));
  }
  for (const fs::path& output : outputs_of(run)) {
    for (const InputFile& input : inputs) {
      check(!is_same_file(output, input.path), ExitCode::kCannotCreate,
            "[{}] is a file that this run would write or remove, and {} reads it, {}: choose "
            "another --run-dir, or copy the input elsewhere",
            printable(output.string()), input.option, printable(input.path.string()));
    }
  }
}

}  // namespace lockstep
