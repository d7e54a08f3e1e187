#include "distributed/ranks/session.hpp"

#include <mpi.h>

#include <cstdlib>

#include "src/core/error.hpp"

namespace lockstep {

Session::Session(int* argc, char*** argv) {
  int provided = MPI_THREAD_SINGLE;
  const int code = MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided);
  check(code == MPI_SUCCESS && provided >= MPI_THREAD_FUNNELED, ExitCode::kInputOutput,
        "[mpi] expected MPI_THREAD_FUNNELED from MPI_Init_thread, got level {}", provided);
}

Session::~Session() {
  int finalized = 0;
  MPI_Finalized(&finalized);
  if (!finalized) MPI_Finalize();
}

void Session::abort(int exit_code) {
  MPI_Abort(MPI_COMM_WORLD, exit_code);
  std::abort();
}

std::string mpi_library_version() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0;
  MPI_Get_library_version(text, &length);
  const std::string version(text);
  return version.substr(0, version.find('\n'));
}

}  // namespace lockstep
