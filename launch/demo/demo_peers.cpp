#include "launch/demo/demo_peers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "io/files/atomic_file.hpp"
#include "launch/machine/mpi_starter.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

// The scripts end with a line "RESULT words", or with this exit code and a line that says what
// this Python lacks.
constexpr int kLacking = 3;

constexpr const char* kKerasScript = R"(import importlib, importlib.util, os, sys
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
keras, reason = None, "no Keras found"
for name in ("keras", "tf_keras"):
    if keras is None and importlib.util.find_spec(name) is not None:
        try:
            keras = importlib.import_module(name)
            import h5py, numpy
        except Exception as error:
            keras, reason = None, f"{name} does not start: {type(error).__name__} {error}".splitlines()[0]
if keras is None:
    print(reason)
    sys.exit(3)
model_file, data_file, predictions_file = sys.argv[1:]
model = keras.models.load_model(model_file)
with h5py.File(data_file) as data, h5py.File(predictions_file) as predictions:
    theirs = model.predict(data["x_test"][:].astype("float32"), verbose=0)
    ours = predictions["predictions"][:]
assert theirs.shape == ours.shape
print("RESULT", float(numpy.abs(theirs - ours).max()), len(ours), keras.__name__, keras.__version__)
)";

constexpr const char* kTorchScript = R"(import sys, time
try:
    import torch
except Exception:
    print("no PyTorch found")
    sys.exit(3)
try:
    import h5py
except Exception:
    print("PyTorch found, but no h5py to read the data with")
    sys.exit(3)
data_file, epochs, batch_size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(1)
with h5py.File(data_file) as data:
    x = torch.from_numpy(data["x_train"][:].reshape(-1, 784).astype("float32")) / 255
    y = torch.from_numpy(data["y_train"][:].astype("int64"))
nn = torch.nn
model = nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 32), nn.ReLU(),
                      nn.Linear(32, 10))
optimizer = torch.optim.Adam(model.parameters(), eps=1e-7)
loss_of = nn.CrossEntropyLoss()
for epoch in range(epochs):
    begin = time.perf_counter()
    order = torch.randperm(len(x))
    for start in range(0, len(x), batch_size):
        rows = order[start:start + batch_size]
        optimizer.zero_grad()
        loss_of(model(x[rows]), y[rows]).backward()
        optimizer.step()
    seconds = time.perf_counter() - begin
print("RESULT", len(x) / seconds, torch.__version__)
)";

constexpr double kKerasTolerance = 1e-5;

std::string last_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

/// The programs of that name in all directories of PATH.
std::vector<fs::path> find_all_in_path(const std::string& name, const char* path) {
  std::vector<fs::path> found;
  std::istringstream directories(path == nullptr ? "" : path);
  for (std::string directory; std::getline(directories, directory, ':');) {
    const auto program = find_in_path(name, directory.c_str());
    if (!program) continue;
    // By directory: the python3 of a virtual environment is a link to one that knows less.
    const auto is_there = [&](const fs::path& other) {
      return fs::equivalent(other.parent_path(), program->parent_path());
    };
    if (std::ranges::none_of(found, is_there)) found.push_back(*program);
  }
  return found;
}

}  // namespace

DemoPeers::DemoPeers(fs::path directory, Meanwhile meanwhile)
    : directory_(std::move(directory)), meanwhile_(std::move(meanwhile)) {}

DemoPeers::Answer DemoPeers::ask(const std::string& name, const char* script,
                                 const std::vector<std::string>& arguments) const {
  const fs::path file = directory_ / (name + ".py");
  write_atomically(file, script);
  Answer answer{{}, "no python3 found"};
  for (const fs::path& python : find_all_in_path("python3", std::getenv("PATH"))) {
    ChildCommand command{{python, file}, {}, directory_ / (name + ".log")};
    command.words.insert(command.words.end(), arguments.begin(), arguments.end());
    const ProgramEnd end = run_program(command, meanwhile_, kLacking);
    if (end.exit_code == kLacking) {
      answer.reason = printable(last_line(end.output));
      continue;
    }
    std::istringstream words(last_line(end.output));
    std::string word;
    words >> word;
    check(word == "RESULT", ExitCode::kBadData, "[demo] expected a result from {}, got '{}'",
          printable(python.string()), printable(last_line(end.output)));
    while (words >> word) answer.words.push_back(printable(word));
    break;
  }
  return answer;
}

Proof DemoPeers::open_with_keras(const fs::path& model, const fs::path& data,
                                 const fs::path& predictions) const {
  Proof proof{"Keras opens final.h5 and predicts the same", Proof::Outcome::kFailed};
  try {
    const Answer answer = ask("ask_keras", kKerasScript, {model, data, predictions});
    if (answer.words.empty()) {
      proof.outcome = Proof::Outcome::kNotTried;
      proof.detail = answer.reason;
      return proof;
    }
    const double difference = std::strtod(answer.words.at(0).c_str(), nullptr);
    proof.detail = fmt::format("{} {}: {} rows, largest difference {:.1e}", answer.words.at(2),
                               answer.words.at(3), answer.words.at(1), difference);
    if (difference < kKerasTolerance) proof.outcome = Proof::Outcome::kHeld;  // not for NaN
  } catch (const std::exception& error) {
    proof.detail = error.what();
  }
  return proof;
}

std::string DemoPeers::pytorch_beside(const fs::path& data, int epochs, int batch_size,
                                      double our_rate) const {
  try {
    const Answer answer = ask("ask_pytorch", kTorchScript,
                              {data, std::to_string(epochs), std::to_string(batch_size)});
    if (answer.words.empty()) return fmt::format("PyTorch beside it: not tried, {}", answer.reason);
    return fmt::format(
        "PyTorch {} on the same task, one process, one thread: {} samples/s; lockstep on 1 rank: "
        "{}",
        answer.words.at(1), with_commas(std::strtod(answer.words.at(0).c_str(), nullptr)),
        with_commas(our_rate));
  } catch (const std::exception& error) {
    return fmt::format("PyTorch beside it: {}", error.what());
  }
}

}  // namespace lockstep
