#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iterator>

#include "io/files/posix_file.hpp"
#include "launch/cli/command.hpp"
#include "launch/cli/option_parser.hpp"
#include "launch/cli/screen.hpp"
#include "launch/demo/demo_peers.hpp"
#include "launch/demo/demo_report.hpp"
#include "launch/demo/demo_runs.hpp"
#include "launch/machine/mpi_starter.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHelp =
    R"(Usage: lockstep demo [--ranks 1,2,3,4] [--keep DIR] [--mpirun PROGRAM]

The proof, in less than a minute, on generated images: the same training on several numbers of ranks
gives the same weights bit for bit; a control in which it does not; a rank killed in the middle and
the training resumed on another number of ranks; the result opened by Keras, where a python3 has
it, and PyTorch's speed beside it. It starts mpirun itself. Every line is measured when it is printed.

Options:
  --ranks LIST             numbers of ranks to compare (default 1,2,3,4)
  --keep DIR               leave data, results and logs in DIR, a new or empty directory
  --mpirun PROGRAM         what starts the ranks (default: mpirun or mpiexec in PATH)

It ends with "PROOF k of n": n claims were put to the test, k of them held.
Exit code: 0 if all of them held, else 70.
)";

volatile std::sig_atomic_t stop_signal = 0;  // the handler's only way to speak

/// The user wants it to end. Not a std::exception: nobody but run_demo() may take it for a failure.
struct Stopped {
  int signal;
};

/// While it lives, Ctrl-C and the like make check() throw.
class StopSignals {
 public:
  StopSignals() {
    stop_signal = 0;
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
      struct sigaction action = {};
      action.sa_handler = [](int signal) { stop_signal = signal; };
      ::sigaction(kSignals[i], nullptr, &before_[i]);
      if (before_[i].sa_handler != SIG_IGN) ::sigaction(kSignals[i], &action, nullptr);
    }
  }
  ~StopSignals() {
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
      ::sigaction(kSignals[i], &before_[i], nullptr);
    }
  }
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  static void check() {
    if (stop_signal != 0) throw Stopped{stop_signal};
  }

 private:
  static constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
  std::array<struct sigaction, kSignals.size()> before_ = {};
};

/// Where the demo works: the directory to keep, or a temporary one that goes when this goes.
class WorkDirectory {
 public:
  explicit WorkDirectory(const std::string& keep) : temporary_(keep.empty()) {
    if (temporary_) {
      std::string name = (fs::temp_directory_path() / "lockstep-demo-XXXXXX").string();
      check(::mkdtemp(name.data()) != nullptr, ExitCode::kCannotCreate,
            "[demo] {} cannot be made: {}", printable(name), system_message(errno));
      path_ = name;
      return;
    }
    std::error_code error;
    fs::create_directories(keep, error);
    check(!error && fs::is_directory(keep, error),
          error == std::errc::permission_denied ? ExitCode::kPermission : ExitCode::kCannotCreate,
          "[demo] --keep {} cannot be made: {}", printable(keep),
          error ? error.message() : "it is no directory");
    const bool is_empty = fs::is_empty(keep, error);
    check(!error, ExitCode::kPermission, "[demo] --keep {} cannot be read: {}", printable(keep),
          error.message());
    check(is_empty, ExitCode::kCannotCreate,
          "[demo] --keep {}: expected a new or empty directory, got one with files in it",
          printable(keep));
    path_ = fs::absolute(keep);
  }
  ~WorkDirectory() {
    std::error_code ignored;
    if (temporary_) fs::remove_all(path_, ignored);
  }
  WorkDirectory(const WorkDirectory&) = delete;
  WorkDirectory& operator=(const WorkDirectory&) = delete;

  const fs::path& path() const { return path_; }

 private:
  bool temporary_;
  fs::path path_;
};

/// One part of the table, a line at a time.
std::vector<DemoRow> train_on_all(const DemoRuns& runs, const std::string& numerics,
                                  const std::vector<int>& ranks) {
  std::vector<DemoRow> rows;
  for (const int count : ranks) {
    std::string failure;
    try {
      rows.push_back(runs.train(numerics, count));
    } catch (const std::exception& error) {
      rows.push_back({.numerics = numerics, .ranks = count});
      failure = indented(error.what());
    }
    print_now(demo_table_line(rows) + failure);
  }
  return rows;
}

void print_head(const DemoTask& task, const MpiStarter& starter, const std::vector<int>& ranks) {
  print_now(fmt::format(
      "A 784-64-32-10 network with dropout, {} epochs on {} generated images, {} a batch.\n",
      task.epochs, task.rows, task.batch_size));
  std::vector<int> crowded;
  std::ranges::copy_if(ranks, std::back_inserter(crowded),
                       [&](int count) { return count > starter.cores; });
  if (!crowded.empty()) {
    print_now(fmt::format(
        "This machine has {}, which {} ranks must share: look at their bits, not their speed.\n",
        starter.cores == 1 ? "1 core" : fmt::format("{} cores", starter.cores),
        spoken_list(crowded)));
  }
  print_now("\n" + demo_table_head());
}

Proof open_with_keras(const DemoRuns& runs, const DemoPeers& peers, const DemoRow& row) {
  Proof proof{"Keras opens final.h5 and predicts the same", Proof::Outcome::kNotTried};
  if (row.sha256.empty()) {
    proof.detail = "its training failed";
    return proof;
  }
  try {
    return peers.open_with_keras(runs.model(row), runs.data(), runs.predict(row));
  } catch (const std::exception& error) {  // no predictions
    proof.outcome = Proof::Outcome::kFailed;
    proof.detail = error.what();
    return proof;
  }
}

/// Beside a training on one rank only: whatever else would compare unlike things.
void print_beside(const DemoRuns& runs, const DemoPeers& peers, const std::vector<DemoRow>& rows) {
  for (const DemoRow& row : rows) {
    if (row.ranks != 1 || row.sha256.empty()) continue;
    const DemoTask& task = runs.task();
    print_now(
        peers.pytorch_beside(runs.data(), task.epochs, task.batch_size, row.samples_per_second) +
        "\n");
  }
}

std::vector<Proof> prove(const DemoRuns& runs, const DemoPeers& peers, int cores,
                         const std::vector<int>& ranks) {
  const auto exact = train_on_all(runs, "exact", ranks);
  const auto fast = train_on_all(runs, "fast", ranks);
  print_now("\n");
  std::vector<Proof> proofs;
  const auto add = [&](const Proof& proof) {
    proofs.push_back(proof);
    print_now(proof_line(static_cast<int>(proofs.size()), proof));
  };
  add(judge_same_bits(exact));
  add(judge_control(fast));
  const KillPlan plan = plan_kill(ranks, cores);
  add(runs.kill_and_resume(ranks.front(), plan.killed, plan.resumed));
  add(open_with_keras(runs, peers, exact.back()));
  print_now("\n");
  print_beside(runs, peers, exact);
  return proofs;
}

ExitCode run_stoppable(const po::variables_map& given, const std::vector<int>& ranks) {
  const StopSignals signals;
  const auto keep = given["keep"].as<std::string>();
  const WorkDirectory directory(keep);
  const MpiStarter starter =
      find_mpi_starter(given["mpirun"].as<std::string>(), directory.path(), std::getenv);
  const DemoRuns runs(starter, directory.path(), StopSignals::check);
  runs.make_data();
  print_head(runs.task(), starter, ranks);
  const std::vector<Proof> proofs =
      prove(runs, DemoPeers(directory.path(), StopSignals::check), starter.cores, ranks);
  const ExitCode code = proof_exit_code(proofs);
  if (!keep.empty()) {
    print_now(fmt::format("Data, results and logs: {}\n", printable(directory.path().string())));
  } else if (code != ExitCode::kDone) {
    print_now("With --keep DIR all results and logs stay, to be looked at.\n");
  }
  print_now(proof_total(proofs));
  return code;
}

}  // namespace

ExitCode run_demo(const CommandContext& context) {
  if (wants_help(context.arguments)) {
    if (context.is_root()) print_now(kHelp);
    return ExitCode::kDone;
  }
  check(!context.under_launcher, ExitCode::kUsage,
        "[demo] expected to be started alone, got started by mpirun or another launcher: lockstep "
        "demo starts mpirun itself");
  po::options_description options;
  options.add_options()("ranks", po::value<std::string>()->default_value("1,2,3,4"))(
      "keep", po::value<std::string>()->default_value(""))(
      "mpirun", po::value<std::string>()->default_value(""));
  const po::variables_map given = parse_arguments(context.arguments, options, {});
  const std::vector<int> ranks = parse_demo_ranks(given["ranks"].as<std::string>());
  try {
    return run_stoppable(given, ranks);
  } catch (const Stopped& stopped) {
    print_error("[demo] stopped; its programs have ended and its temporary files are gone");
    // As everybody expects of a program that a signal ends.
    std::signal(stopped.signal, SIG_DFL);
    std::raise(stopped.signal);
    return ExitCode::kStopped;
  }
}

}  // namespace lockstep
