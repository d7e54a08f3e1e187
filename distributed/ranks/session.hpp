#pragma once

#include <string>

namespace lockstep {

/// MPI_Init and MPI_Finalize of a program (the library itself never calls them).
class Session {
 public:
  /// Thread level funneled.
  Session(int* argc, char*** argv);
  /// Finalizes, unless MPI is finalized already.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Ends all ranks at once with this exit code (MPI_Abort).
  [[noreturn]] static void abort(int exit_code);
};

/// "Open MPI v4.1.4, ...": the library's own words, first line.
std::string mpi_library_version();

}  // namespace lockstep
