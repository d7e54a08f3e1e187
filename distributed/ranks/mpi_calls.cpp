#include "distributed/ranks/mpi_calls.hpp"

#include "distributed/ranks/communicator.hpp"
#include "src/core/error.hpp"

namespace lockstep {

void check_mpi(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = "unknown error";
  int length = 0;
  MPI_Error_string(code, text, &length);
  fail(ExitCode::kInputOutput, "[mpi] {} failed: {}", call, text);
}

}  // namespace lockstep
