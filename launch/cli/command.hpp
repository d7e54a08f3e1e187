#pragma once

#include <optional>
#include <string>
#include <vector>

#include "distributed/ranks/communicator.hpp"
#include "src/core/error.hpp"

namespace lockstep {

/// What a command runs with. A command returns the exit code or throws Error; main() prints an
/// Error once, on rank 0. All ranks run the same command with the same arguments.
struct CommandContext {
  std::vector<std::string> arguments;  ///< behind the command's name
  const Communicator* world;           ///< null: not under a launcher and the command needs no MPI
  bool under_launcher = false;         ///< mpirun, srun, ... (MPI hides that once it has started)
  bool is_root() const { return world == nullptr || world->is_root(); }
};

struct Command {
  const char* name;
  const char* synopsis;  ///< "train [CONFIG.cfg] [options]"
  const char* summary;   ///< one line for `lockstep --help`
  bool needs_mpi;        ///< also without a launcher
  ExitCode (*run)(const CommandContext& context);
};

ExitCode run_train(const CommandContext& context);
ExitCode run_evaluate(const CommandContext& context);
ExitCode run_predict(const CommandContext& context);
ExitCode run_generate(const CommandContext& context);
ExitCode run_import(const CommandContext& context);
ExitCode run_export(const CommandContext& context);
ExitCode run_convert(const CommandContext& context);
ExitCode run_migrate(const CommandContext& context);
ExitCode run_inspect(const CommandContext& context);
ExitCode run_doctor(const CommandContext& context);
ExitCode run_demo(const CommandContext& context);

}  // namespace lockstep
