#include "launch/demo/demo_runs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>

#include "io/files/atomic_file.hpp"
#include "io/keras/history.hpp"
#include "launch/commands/inspect_report.hpp"
#include "launch/train/run_directory.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLayers =
    "Rescaling(1/255), Flatten(), Dense(64, relu), Dropout(0.2), Dense(32, relu), "
    "Dense(10, softmax)";

std::string name_of(const std::string& numerics, int ranks) {
  return fmt::format("{}-{}", numerics, ranks);
}

/// What `measure` returns; what it throws fails the claim.
template <class Measure>
Proof or_failed(Proof proof, const Measure& measure) {
  try {
    return measure();
  } catch (const std::exception& error) {
    proof.outcome = Proof::Outcome::kFailed;
    proof.detail = error.what();
    return proof;
  }
}

/// Among what the launcher `starter` has started.
std::optional<ProcessId> process_of_rank(int starter, int rank) {
  for (const ProcessId& process : descendants(starter)) {
    if (rank_of(process) == rank && runs_this_program(process)) return process;
  }
  return std::nullopt;
}

std::string weights_sha256(const fs::path& model) {
  return inspect_file(model).at("weights_sha256").get<std::string>();
}

}  // namespace

DemoRuns::DemoRuns(MpiStarter starter, fs::path directory, Meanwhile meanwhile)
    : starter_(std::move(starter)),
      directory_(std::move(directory)),
      meanwhile_(std::move(meanwhile)),
      self_(fs::read_symlink("/proc/self/exe").string()) {}

std::string DemoRuns::run(const ChildCommand& command) const {
  return run_program(command, meanwhile_).output;
}

fs::path DemoRuns::model(const DemoRow& row) const {
  return RunDirectory(run_directory(name_of(row.numerics, row.ranks))).final_model();
}

void DemoRuns::make_data() const {
  run({{self_, "import", "synthetic", "--rows", std::to_string(task_.rows), "--test-rows",
        std::to_string(task_.test_rows), "--out", data()},
       {},
       directory_ / "import.log"});
}

std::vector<std::string> DemoRuns::train_words(const std::string& name, int epochs) const {
  return {self_,          "train",
          "--data",       data(),
          "--layers",     kLayers,
          "--epochs",     std::to_string(epochs),
          "--batch-size", std::to_string(task_.batch_size),
          "--run-dir",    run_directory(name),
          "--verbose",    "2"};
}

DemoRow DemoRuns::train(const std::string& numerics, int ranks) const {
  const std::string name = name_of(numerics, ranks);
  std::vector<std::string> words = train_words(name, task_.epochs);
  words.insert(words.end(), {"--numerics", numerics});
  const std::string output = run(starter_.command(ranks, words, directory_ / (name + ".log")));
  const RunDirectory results(run_directory(name));
  const History history = history_from_csv(read_file(results.history()));
  return {numerics, ranks, history.back().samples_per_second, test_accuracy_in(output),
          weights_sha256(results.final_model())};
}

std::string DemoRuns::train_long(int ranks, const std::string& name,
                                 const std::vector<std::string>& more) const {
  std::vector<std::string> words = train_words(name, task_.long_epochs);
  words.insert(words.end(), more.begin(), more.end());
  return run(starter_.command(ranks, words, directory_ / fmt::format("{}-on-{}.log", name, ranks)));
}

std::int64_t DemoRuns::epochs_done(const RunDirectory& results) const {
  const std::vector<CheckpointFile> checkpoints = results.checkpoint_files();
  const std::int64_t steps_per_epoch = (task_.rows - 1) / task_.batch_size + 1;
  return checkpoints.empty() ? 0 : checkpoints.front().step / steps_per_epoch;
}

std::optional<int> DemoRuns::train_and_kill(int ranks, const std::string& name) const {
  const RunDirectory results(run_directory(name));
  const ChildCommand command = starter_.command(ranks, train_words(name, task_.long_epochs),
                                                directory_ / (name + "-until-killed.log"));
  ChildProcess child(command);
  std::optional<ProcessId> victim;
  bool killed = false;
  const auto kill_in_the_middle = [&] {
    meanwhile_();
    const std::int64_t epochs = epochs_done(results);
    if (killed || epochs == 0) return;
    if (!victim) victim = process_of_rank(child.id(), ranks - 1);
    if (victim && epochs >= task_.epochs_before_kill) killed = kill_process(*victim);
  };
  finish_program(child, command, kill_in_the_middle,
                 [&](int exit_code) { return killed || exit_code == 0; });
  return killed ? std::optional(ranks - 1) : std::nullopt;
}

Proof DemoRuns::kill_and_resume(int whole, int killed, int resumed) const {
  Proof proof{
      fmt::format("one of {} ranks killed in the middle, resumed on {}: the same weights as "
                  "without a stop",
                  killed, resumed)};
  return or_failed(proof, [&] { return try_kill_and_resume(proof, whole, killed, resumed); });
}

Proof DemoRuns::try_kill_and_resume(Proof proof, int whole, int killed, int resumed) const {
  train_long(whole, "whole", {});
  const std::optional<int> killed_rank = train_and_kill(killed, "stopped");
  const RunDirectory results(run_directory("stopped"));
  if (!killed_rank || fs::exists(results.final_model())) {
    proof.outcome = Proof::Outcome::kNotTried;
    proof.detail = "the training was over before a rank could be killed";
    return proof;
  }
  const std::int64_t epochs_kept = epochs_done(results);
  train_long(resumed, "stopped", {"--resume", "required"});
  const std::string expected = weights_sha256(RunDirectory(run_directory("whole")).final_model());
  const bool same = weights_sha256(results.final_model()) == expected;
  proof.outcome = same ? Proof::Outcome::kHeld : Proof::Outcome::kFailed;
  proof.detail = fmt::format("SIGKILL to rank {} after epoch {} of {}{}", *killed_rank, epochs_kept,
                             task_.long_epochs, same ? "" : "; the weights differ");
  return proof;
}

fs::path DemoRuns::predict(const DemoRow& row) const {
  const fs::path predictions = directory_ / "predictions.h5";
  run(starter_.command(1, {self_, "predict", model(row), "--data", data(), "--out", predictions},
                       directory_ / "predict.log"));
  return predictions;
}

}  // namespace lockstep
