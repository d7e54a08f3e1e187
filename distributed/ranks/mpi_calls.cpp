#include "distributed/ranks/mpi_calls.hpp"

#include "distributed/ranks/communicator.hpp"
#include "src/core/error.hpp"
#include "src/core/system_files.hpp"
#include "src/core/words.hpp"

namespace lockstep {

void check_mpi(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = "unknown error";
  int length = 0;
  MPI_Error_string(code, text, &length);
  const bool memory = lower_case(text).find("memory") != std::string::npos;
  fail(ExitCode::kInputOutput, "[mpi] {} failed: {}{}", call, text,
       memory ? address_space_in_words() : "");
}

}  // namespace lockstep
