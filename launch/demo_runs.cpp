#include "launch/demo_runs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>

#include "io/atomic_file.hpp"
#include "io/history.hpp"
#include "launch/inspect_report.hpp"
#include "launch/run_directory.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kTimeLimit{120};  // of each program

constexpr const char* kLayers =
    "Rescaling(1/255), Flatten(), Dense(64, relu), Dropout(0.2), Dense(32, relu), "
    "Dense(10, softmax)";

/// Exit code 3: Keras cannot be had here; the last line says why.
constexpr const char* kKerasScript = R"(import importlib, importlib.util, os, sys
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
keras, reason = None, "no Keras found"
for name in ("keras", "tf_keras"):
    if keras is None and importlib.util.find_spec(name) is not None:
        try:
            keras = importlib.import_module(name)
        except Exception as error:
            reason = f"{name} does not start: {type(error).__name__} {error}".splitlines()[0]
if keras is not None:
    try:
        import h5py, numpy
    except ImportError as error:
        keras, reason = None, str(error)
if keras is None:
    print(reason)
    sys.exit(3)
model_file, data_file, predictions_file = sys.argv[1:]
model = keras.models.load_model(model_file)
with h5py.File(data_file) as data, h5py.File(predictions_file) as predictions:
    theirs = model.predict(data["x_test"][:].astype("float32"), verbose=0)
    difference = float(numpy.abs(theirs - predictions["predictions"][:]).max())
print(f"RESULT {difference:.3e} {keras.__name__} {keras.__version__}")
)";
constexpr int kNoKeras = 3;
constexpr double kKerasTolerance = 1e-5;

/// What a failing program said last: its own error lines if it has any.
std::string last_words(const std::string& output) {
  constexpr std::size_t kLines = 5;
  std::vector<std::string> ours, all;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    if (line.find_first_not_of(" \t\r-") == std::string::npos) continue;  // and mpirun's rules
    all.push_back(line);
    if (line.starts_with("lockstep: ") && !line.starts_with("lockstep: warning:")) {
      ours.push_back(line);
    }
  }
  const std::vector<std::string>& chosen = ours.empty() ? all : ours;
  const std::size_t skipped = chosen.size() > kLines ? chosen.size() - kLines : 0;
  std::string text;
  for (std::size_t i = skipped; i < chosen.size(); ++i) text += "\n  " + printable(chosen[i]);
  return text.empty() ? "\n  (nothing)" : text;
}

[[noreturn]] void fail_with(const ChildCommand& command, std::optional<int> exit_code) {
  const std::string end = exit_code ? fmt::format("ended with exit code {}", *exit_code)
                                    : fmt::format("did not end in {} s", kTimeLimit.count());
  throw Error(ExitCode::kNumerical, fmt::format("this command {}:\n  {}\nIt said:{}", end,
                                                printable(shell_line(command), 4000),
                                                last_words(read_file(command.log))));
}

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

std::string weights_sha256(const fs::path& model) {
  return inspect_file(model).at("weights_sha256").get<std::string>();
}

}  // namespace

DemoRuns::DemoRuns(MpiStarter starter, fs::path directory, std::function<void()> meanwhile)
    : starter_(std::move(starter)),
      directory_(std::move(directory)),
      meanwhile_(std::move(meanwhile)),
      self_(fs::read_symlink("/proc/self/exe").string()) {}

std::string DemoRuns::run(const ChildCommand& command) const {
  ChildProcess child(command);
  const std::optional<int> exit_code = child.wait(kTimeLimit, meanwhile_);
  if (exit_code != 0) fail_with(command, exit_code);
  return read_file(command.log);
}

void DemoRuns::make_data() const {
  run({{self_, "import", "synthetic", "--rows", std::to_string(task_.rows), "--test-rows",
        std::to_string(task_.test_rows), "--out", directory_ / "glyphs.h5"},
       {},
       directory_ / "import.log"});
}

std::vector<std::string> DemoRuns::train_words(const std::string& name, int epochs) const {
  return {self_,          "train",
          "--data",       directory_ / "glyphs.h5",
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

DemoRuns::KilledRun DemoRuns::train_and_kill(int ranks, const std::string& name) const {
  const RunDirectory results(run_directory(name));
  const ChildCommand command = starter_.command(ranks, train_words(name, task_.long_epochs),
                                                directory_ / (name + "-until-killed.log"));
  KilledRun killed;
  ChildProcess child(command);
  const auto kill_when_it_has_a_checkpoint = [&] {
    meanwhile_();
    if (killed.rank >= 0 || epochs_done(results) < task_.epochs_before_kill) return;
    for (const ProcessId& process : descendants(child.id())) {
      const std::optional<int> rank = rank_of(process);
      if (rank != ranks - 1 || !runs_this_program(process)) continue;
      if (kill_process(process)) killed.rank = *rank;
    }
  };
  const auto exit_code = child.wait(kTimeLimit, kill_when_it_has_a_checkpoint);
  if (!exit_code) fail_with(command, exit_code);
  // Without a kill it must have trained to the end.
  if (killed.rank < 0 && *exit_code != 0) fail_with(command, exit_code);
  killed.exit_code = *exit_code;
  return killed;
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
  const KilledRun stopped = train_and_kill(killed, "stopped");
  const RunDirectory results(run_directory("stopped"));
  if (stopped.rank < 0 || fs::exists(results.final_model())) {
    proof.outcome = Proof::Outcome::kNotTried;
    proof.detail = "the training was over before a rank could be killed";
    return proof;
  }
  const std::int64_t epochs_kept = epochs_done(results);
  train_long(resumed, "stopped", {"--resume", "required"});
  const std::string expected = weights_sha256(RunDirectory(run_directory("whole")).final_model());
  const bool same = weights_sha256(results.final_model()) == expected;
  proof.outcome = same ? Proof::Outcome::kHeld : Proof::Outcome::kFailed;
  proof.detail = fmt::format("SIGKILL to rank {} after epoch {} of {}{}", stopped.rank, epochs_kept,
                             task_.long_epochs, same ? "" : "; the weights differ");
  return proof;
}

Proof DemoRuns::open_with_keras(const DemoRow& row) const {
  Proof proof{"Keras opens final.h5 and predicts the same", Proof::Outcome::kNotTried};
  const RunDirectory results(run_directory(name_of(row.numerics, row.ranks)));
  if (row.sha256.empty()) {
    proof.detail = "its training failed";
    return proof;
  }
  return or_failed(proof, [&] { return try_keras(proof, results.final_model()); });
}

Proof DemoRuns::try_keras(Proof proof, const fs::path& model) const {
  const auto python = find_in_path("python3", std::getenv("PATH"));
  if (!python) {
    proof.detail = "no python3 found";
    return proof;
  }
  const fs::path script = directory_ / "keras_check.py";
  const fs::path data = directory_ / "glyphs.h5";
  const fs::path predictions = directory_ / "predictions.h5";
  write_atomically(script, kKerasScript);
  run({{self_, "predict", model, "--data", data, "--out", predictions},
       {},
       directory_ / "predict.log"});
  const ChildCommand command{
      {*python, script, model, data, predictions}, {}, directory_ / "keras.log"};
  ChildProcess child(command);
  const auto exit_code = child.wait(kTimeLimit, meanwhile_);
  const std::string output = read_file(command.log);
  if (exit_code == kNoKeras) {
    const std::size_t last = output.find_last_of('\n', output.size() - 2);
    proof.detail = printable(output.substr(last + 1, output.size() - last - 2));
    return proof;
  }
  const std::size_t result = output.rfind("RESULT ");
  if (exit_code != 0 || result == std::string::npos) fail_with(command, exit_code);
  std::istringstream words(output.substr(result));
  std::string word, keras, version;
  double difference = 1;
  words >> word >> difference >> keras >> version;
  const bool same = difference < kKerasTolerance;
  proof.outcome = same ? Proof::Outcome::kHeld : Proof::Outcome::kFailed;
  proof.detail = fmt::format("{} {}: {} predictions, largest difference {:.1e}", printable(keras),
                             printable(version), task_.test_rows, difference);
  return proof;
}

}  // namespace lockstep
