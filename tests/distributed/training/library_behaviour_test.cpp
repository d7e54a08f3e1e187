#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <regex>
#include <sstream>

#include "distributed/training/early_stopping.hpp"
#include "distributed/training/trainer.hpp"
#include "tests/support/ranks.hpp"
#include "tests/support/tiny_training.hpp"

extern char** environ;

/// The library runs in other people's programs: what it must leave alone there.
namespace lockstep {
namespace {

/// The text of a source file without its comments.
std::string code_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream code;
  for (std::string line; std::getline(file, line);) code << line.substr(0, line.find("//")) << '\n';
  return code.str();
}

TEST(Library, CallsNothingThatBelongsToTheProgram) {
  if (!test::world().is_root()) return;  // one rank reads the sources
  const std::filesystem::path root = LOCKSTEP_SOURCE_DIR;
  const std::regex forbidden(
      R"(std::(cout|cerr|clog)|MPI_COMM_WORLD|MPI_Init|MPI_Finalize\b|MPI_Abort)"
      R"(|\b(printf|fprintf|puts|fputs|perror|exit|_exit|quick_exit|abort|terminate)\s*\()"
      R"(|\b(signal|sigaction|sigprocmask|alarm|raise|setlocale|chdir|umask)\s*\()"
      R"(|\b(setenv|putenv|unsetenv)\s*\()"
      R"(|fmt::print)");
  int files = 0;
  for (const std::string folder : {"src", "io", "distributed"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      const std::filesystem::path& path = entry.path();
      // A program's own session starts and ends MPI; fault points are compiled in for tests only.
      if (!entry.is_regular_file() || path.stem() == "session" || path.stem() == "fault" ||
          path.extension() == ".txt")
        continue;
      ++files;
      const std::string code = code_of(path);
      std::smatch match;
      EXPECT_FALSE(std::regex_search(code, match, forbidden)) << path << ": " << match.str();
    }
  }
  EXPECT_GT(files, 50);
}

std::vector<std::string> environment() {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable)
    variables.emplace_back(*variable);
  return variables;
}

/// Handler and flags of every signal.
std::vector<std::string> dispositions() {
  std::vector<std::string> all;
  for (int number = 1; number < NSIG; ++number) {
    struct sigaction action {};
    if (sigaction(number, nullptr, &action) != 0) continue;
    all.push_back(fmt::format("signal {}: {} flags {}", number,
                              reinterpret_cast<std::uintptr_t>(action.sa_handler),
                              action.sa_flags));
  }
  return all;
}

/// Sends stdout and stderr to a file, and back again at the end.
class Capture {
 public:
  explicit Capture(const std::filesystem::path& path) {
    std::fflush(nullptr);
    const int file = open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
    for (const int stream : {STDOUT_FILENO, STDERR_FILENO}) {
      saved_.push_back(dup(stream));
      dup2(file, stream);
    }
    close(file);
  }
  ~Capture() {
    std::fflush(nullptr);
    for (const int stream : {STDERR_FILENO, STDOUT_FILENO}) {
      dup2(saved_.back(), stream);
      close(saved_.back());
      saved_.pop_back();
    }
  }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

 private:
  std::vector<int> saved_;
};

void train_with_everything(const std::filesystem::path& checkpoint) {
  const test::TinyData data = test::classified_rows(20, 4, 3);
  Network model = test::classifier(4, 6, 3, "adam", 0.2);
  Trainer trainer(
      model, test::world(),
      {.epochs = 2, .batch_size = 6, .validation_split = 0.2, .check_replicas_every = 2});
  trainer.add_callback(std::make_shared<EarlyStopping>(EarlyStopping::Options{}));
  trainer.fit(data.view());
  trainer.evaluate(data.view());
  trainer.save(checkpoint);
}

TEST(Library, LeavesSignalsEnvironmentAndStreamsAlone) {
  const Communicator communicator = test::world();
  const test::SharedDirectory directory(communicator);
  const std::filesystem::path output = directory / fmt::format("output-of-{}", communicator.rank());
  const auto environment_before = environment();
  const auto dispositions_before = dispositions();
  const mode_t mask_before = umask(022);
  umask(mask_before);
  {
    const Capture capture(output);
    train_with_everything(directory / "model.h5");
  }
  EXPECT_EQ(test::bytes_of(output), "");
  EXPECT_EQ(environment(), environment_before);
  EXPECT_EQ(dispositions(), dispositions_before);
  const mode_t mask_after = umask(mask_before);
  EXPECT_EQ(mask_after, mask_before);
}

TEST(Library, LeavesTheStreamsAloneWhenItFails) {
  const Communicator communicator = test::world();
  const test::SharedDirectory directory(communicator);
  const std::filesystem::path output = directory / fmt::format("output-of-{}", communicator.rank());
  {
    const Capture capture(output);
    EXPECT_THROW(train_with_everything(directory / "nowhere" / "model.h5"), CollectiveError);
    EXPECT_THROW(load_model(directory / "nowhere.h5"), Error);
  }
  EXPECT_EQ(test::bytes_of(output), "");
}

}  // namespace
}  // namespace lockstep
