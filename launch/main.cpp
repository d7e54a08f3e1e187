#include <fmt/ranges.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <new>
#include <optional>
#include <thread>

#include "distributed/ranks/agreement.hpp"
#include "distributed/ranks/session.hpp"
#include "distributed/ranks/setup_check.hpp"
#include "io/hdf5/hdf5.hpp"
#include "launch/cli/command.hpp"
#include "launch/cli/option_parser.hpp"
#include "launch/cli/screen.hpp"
#include "launch/machine/blas_correction.hpp"
#include "launch/machine/launcher.hpp"
#include "launch/machine/startup_watch.hpp"
#include "src/core/exit_code.hpp"
#include "src/core/fault.hpp"
#include "src/core/floating_point.hpp"
#include "src/core/memory.hpp"
#include "src/kernels/kernels.hpp"

namespace lockstep {
namespace {

using Words = std::vector<std::string>;

constexpr std::array kCommands = {
    Command{"train", "train [CONFIG.cfg] [options]", "train a network on all ranks", true,
            run_train},
    Command{"evaluate", "evaluate MODEL.h5 --data FILE.h5", "loss and metrics on test data", true,
            run_evaluate},
    Command{"predict", "predict MODEL.h5 --data FILE.h5 --out P.csv", "the outputs of a network",
            true, run_predict},
    Command{"generate", "generate MODEL.h5 --prompt TEXT", "text from a language model", false,
            run_generate},
    Command{"import", "import idx|csv|text|npy|... ... --out FILE.h5", "build a dataset file",
            false, run_import},
    Command{"export", "export MODEL --to keras|onnx|... --out FILE", "a network for other programs",
            false, run_export},
    Command{"convert", "convert FILE.safetensors --model FILE.json",
            "a network from PyTorch's weights", false, run_convert},
    Command{"migrate", "migrate SCRIPT.py", "the config file of a Keras script", false,
            run_migrate},
    Command{"inspect", "inspect FILE.h5", "what is in a dataset, model or checkpoint", false,
            run_inspect},
    Command{"doctor", "doctor", "check this machine or allocation", true, run_doctor},
    Command{"demo", "demo", "the proof, in less than a minute (starts mpirun itself)", false,
            run_demo},
};

std::string help() {
  std::string text =
      "Lockstep: data-parallel training of Keras-style networks on CPU clusters\n\n"
      "Usage: lockstep COMMAND ...        mpirun -n 4 lockstep COMMAND ...\n\n";
  for (const Command& command : kCommands) {
    text += fmt::format("  {:<52}{}\n", command.synopsis, command.summary);
  }
  return text +
         "\n  lockstep COMMAND --help                             the command's options\n"
         "  lockstep --version\n";
}

const Command* find_command(const Words& words) {
  if (words.empty()) return nullptr;
  const auto found = std::ranges::find_if(
      kCommands, [&](const Command& command) { return command.name == words[0]; });
  return found == kCommands.end() ? nullptr : &*found;
}

/// --help, --version, or a word that is no command.
ExitCode run_no_command(const Words& words, bool is_root) {
  check(!words.empty(), ExitCode::kUsage,
        "[options] expected a command, got none; lockstep --help lists them");
  if (words[0] == "--version") {
    if (is_root) {
      print_now(fmt::format("lockstep {} ({})\n", LOCKSTEP_VERSION, mpi_library_version()));
    }
    return ExitCode::kDone;
  }
  if (words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    if (is_root) print_now(help());
    return ExitCode::kDone;
  }
  Words known = {"--help", "--version"};
  for (const Command& command : kCommands) known.emplace_back(command.name);
  fail(ExitCode::kUsage, "[options] unknown command '{}'{}", printable(words[0]),
       did_you_mean(words[0], known));
}

ExitCode dispatch(const Words& words, const Communicator* world, bool under_launcher) {
  const Command* command = find_command(words);
  if (command == nullptr) return run_no_command(words, world == nullptr || world->is_root());
  CommandContext context{Words(words.begin() + 1, words.end()), world, under_launcher};
  if (world == nullptr || command->needs_mpi) return command->run(context);

  // A command of one process: rank 0 runs it for all.
  context.world = nullptr;
  std::int64_t code = 0;
  on_root(*world, [&] { code = static_cast<std::int64_t>(command->run(context)); });
  return static_cast<ExitCode>(world->all_max(code));
}

std::string reason_of(const std::exception& error) {
  const auto* memory = dynamic_cast<const std::bad_alloc*>(&error);
  return memory != nullptr ? out_of_memory(*memory) : error.what();
}

/// All ranks run the same words, so a usage error is every rank's error.
bool is_everywhere(const std::exception& error) {
  return dynamic_cast<const CollectiveError*>(&error) != nullptr ||
         exit_code_of(error) == ExitCode::kUsage;
}

ExitCode run_on_all_ranks(const Words& words, const Communicator& world, bool under_launcher) {
  try {
    check_same_everywhere(world, "command line", fmt::format("'{}'", fmt::join(words, " ")));
    together(world, [] { kernels(); });  // a CPU may lack what the environment asks for
    const ExitCode code = dispatch(words, &world, under_launcher);
    if (code == ExitCode::kDone) on_root(world, check_printed);
    return code;
  } catch (const std::exception& error) {
    if (world.size() > 1 && !is_everywhere(error)) {
      // The others may be waiting for this rank in the middle of something. If all of them fail at
      // once, rank 0 speaks and ends the job before the others do.
      if (!world.is_root()) std::this_thread::sleep_for(std::chrono::milliseconds(400));
      print_error(fmt::format("rank {}: {}", world.rank(), reason_of(error)));
      // MPICH's launcher ends a job without reading what a rank wrote just before.
      std::this_thread::sleep_for(std::chrono::milliseconds(250));
      Session::abort(static_cast<int>(exit_code_of(error)));
    }
    if (world.is_root()) print_error(reason_of(error));
    world.barrier();  // the first rank to leave with an error would end the one that prints
    return exit_code_of(error);
  }
}

/// Open MPI makes files of some MiB when it starts alone. Where it cannot, it does not say why, or
/// hangs.
void check_file_limit() {
  constexpr rlim_t kLeast = 8 << 20;
  rlimit limit = {};
  if (::getrlimit(RLIMIT_FSIZE, &limit) != 0) return;
  check(limit.rlim_cur >= kLeast, ExitCode::kInputOutput,
        "[mpi] expected files of {} MiB to be allowed, which MPI needs to start, got a limit of {} "
        "bytes (ulimit -f)",
        kLeast >> 20, limit.rlim_cur);
}

ExitCode run_with_mpi(const Words& words, const std::optional<Launcher>& launcher, int& argc,
                      char**& argv) {
  const int task = launcher ? launcher->task : 0;
  fault_point("init", task, 0);
  if (!launcher) check_file_limit();
  std::optional<StartupWatch> watch(std::in_place, std::getenv);
  std::optional<Session> session(std::in_place, &argc, &argv);
  watch.reset();
  ExitCode code = ExitCode::kDone;
  {
    const Communicator world(MPI_COMM_WORLD);
    check_world_size(launcher, world.size());
    code = run_on_all_ranks(words, world, launcher.has_value());
  }
  session.reset();
  fault_point("finalize", task, 0);
  return code;
}

ExitCode run(int argc, char** argv) {
  const Words words(argv + std::min(argc, 1), argv + argc);
  const Command* command = find_command(words);
  const std::optional<Launcher> launcher = find_launcher(std::getenv);
  const bool needs_mpi = command != nullptr && command->needs_mpi && !wants_help(words);
  try {
    if (launcher || needs_mpi) return run_with_mpi(words, launcher, argc, argv);
    const ExitCode code = dispatch(words, nullptr, false);
    if (code == ExitCode::kDone) check_printed();
    return code;
  } catch (const std::exception& error) {
    // Tasks that do not see each other: the first one speaks, the others give it time to.
    if (!launcher || launcher->task == 0) {
      print_error(reason_of(error));
    } else {
      std::this_thread::sleep_for(std::chrono::seconds(1));
    }
    return exit_code_of(error);
  }
}

}  // namespace
}  // namespace lockstep

int main(int argc, char** argv) {
  const lockstep::FloatingPointEnvironment environment(lockstep::Denormals::kKeep);
  lockstep::hdf5::leave_open_at_exit();
  lockstep::occupy_standard_streams();
  std::signal(SIGPIPE, SIG_IGN);  // a log that nobody reads any more must not end a training
  std::signal(SIGXFSZ, SIG_IGN);  // a file over `ulimit -f` is an error of its write like others
  lockstep::correct_blas_kernel(argc, argv);
  return static_cast<int>(lockstep::run(argc, argv));
}
