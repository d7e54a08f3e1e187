#include "src/core/fault.hpp"

#ifdef LOCKSTEP_FAULTS

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <string>

#include "src/core/error.hpp"

namespace lockstep {
namespace {

void act(const std::string& action) {
  if (action == "kill") kill(getpid(), SIGKILL);
  if (action == "segv") kill(getpid(), SIGSEGV);
  if (action == "bus") kill(getpid(), SIGBUS);
  if (action == "abort") std::abort();
  if (action == "exit") _exit(0);
  if (action == "throw") throw std::runtime_error("injected exception");
  if (action == "bad_alloc") throw std::bad_alloc();
  if (action == "error") throw Error(ExitCode::kInputOutput, "injected error");
  throw std::logic_error("LOCKSTEP_FAULT: unknown action " + action);
}

}  // namespace

void fault_point(const char* point, int rank, std::int64_t step) {
  static const char* const wanted = std::getenv("LOCKSTEP_FAULT");
  if (wanted == nullptr) return;
  const std::string prefix = fmt::format("{}:{}:{}:", point, rank, step);
  const std::string text = wanted;
  if (text.starts_with(prefix)) act(text.substr(prefix.size()));
}

}  // namespace lockstep

#endif
