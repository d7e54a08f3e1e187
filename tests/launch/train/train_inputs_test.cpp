#include "launch/train/train_inputs.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/launch/error_expectation.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

class TrainInputsTest : public testing::Test {
 protected:
  TrainInputsTest() {
    std::string pattern = testing::TempDir() + "inputs-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
    fs::create_directories(path("run/checkpoints"));
    write("d.h5");
    settings_.data = path("d.h5");
    settings_.layers = "Dense(1)";
    settings_.run_dir = path("run");
    settings_.overwrite = true;
  }
  ~TrainInputsTest() override { fs::remove_all(directory_); }

  std::string path(const std::string& name) const { return (directory_ / name).string(); }
  std::string write(const std::string& name) const {
    std::ofstream(path(name)) << "text";
    return path(name);
  }
  void refuse(const TrainSettings& settings, const std::string& option,
              const std::string& word) const {
    expect_error(
        ExitCode::kCannotCreate, [&] { check_inputs_stay(settings); }, option, word);
  }

  fs::path directory_;
  TrainSettings settings_;
};

TEST_F(TrainInputsTest, MayLieInTheRunDirectoryUnderNamesOfTheirOwn) {
  check_inputs_stay(settings_);
  settings_.data = write("run/d.h5");
  settings_.model = write("run/my-model.json");
  settings_.x_val = write("run/checkpoints/other.h5") + ":/x";
  check_inputs_stay(settings_);
  settings_.run_dir = path("not-there-yet");
  check_inputs_stay(settings_);
}

TEST_F(TrainInputsTest, AreNoFilesThatTheRunWrites) {
  for (const char* name : {"config.cfg", "model.json", "history.csv", "final.h5", "best.h5",
                           "run.status", "run.lock", "checkpoints/ckpt-12.h5"}) {
    const std::string file = write(std::string("run/") + name);
    TrainSettings from = settings_, model = settings_, data = settings_, x = settings_;
    TrainSettings weights = settings_;
    from.from = model.model = weights.weights = data.data = file;
    x.x_test = file + ":/x";
    refuse(from, "--from", name);
    refuse(model, "--model", name);
    refuse(weights, "--weights", name);
    refuse(data, "--data", name);
    refuse(x, "--x-test", name);
    fs::remove(file);
  }
}

TEST_F(TrainInputsTest, AreFoundUnderOtherNames) {
  fs::create_symlink("../d.h5", path("run/final.h5"));
  refuse(settings_, "--data", "final.h5");
  fs::remove(path("run/final.h5"));

  fs::create_hard_link(path("d.h5"), path("run/best.h5"));
  refuse(settings_, "--data", "best.h5");
  fs::remove(path("run/best.h5"));

  settings_.from = write("run/final.h5");
  fs::create_directory_symlink("run", path("alias"));
  settings_.run_dir = path("alias");
  refuse(settings_, "--from", "final.h5");
  settings_.run_dir = path("run/checkpoints/..");
  refuse(settings_, "--from", "final.h5");
}

TEST_F(TrainInputsTest, AreNotTheRunDirectoryItself) {
  settings_.run_dir = settings_.data;
  refuse(settings_, "--data", "expected a directory for --run-dir");
  fs::create_symlink("d.h5", path("link"));
  settings_.run_dir = path("link");
  refuse(settings_, "--data", "expected a directory for --run-dir");
}

}  // namespace
}  // namespace lockstep
