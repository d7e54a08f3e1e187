#include "src/core/fault.hpp"

#ifdef LOCKSTEP_FAULTS

#include <unistd.h>

#include <bit>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>

#include "src/core/error.hpp"

namespace lockstep {
namespace {

void act(const std::string& action) {
  if (action == "kill") kill(getpid(), SIGKILL);
  if (action == "segv") kill(getpid(), SIGSEGV);
  if (action == "bus") kill(getpid(), SIGBUS);
  if (action == "abort") std::abort();
  if (action == "exit") _exit(0);
  if (action == "pause") {
    std::this_thread::sleep_for(std::chrono::seconds(5));
    return;
  }
  if (action == "throw") throw std::runtime_error("injected exception");
  if (action == "bad_alloc") throw std::bad_alloc();
  if (action == "error") throw Error(ExitCode::kInputOutput, "injected error");
  throw std::logic_error("LOCKSTEP_FAULT: unknown action " + action);
}

/// The action that is wanted here; empty: none.
std::string wanted_action(const char* point, int rank, std::int64_t step) {
  static const char* const wanted = std::getenv("LOCKSTEP_FAULT");
  if (wanted == nullptr) return "";
  const std::string prefix = fmt::format("{}:{}:{}:", point, rank, step);
  const std::string text = wanted;
  return text.starts_with(prefix) ? text.substr(prefix.size()) : "";
}

}  // namespace

void fault_point(const char* point, int rank, std::int64_t step) {
  const std::string action = wanted_action(point, rank, step);
  if (!action.empty()) act(action);
}

void fault_point(const char* point, int rank, std::int64_t step, std::span<float> numbers) {
  const std::string action = wanted_action(point, rank, step);
  if (action == "flip") {
    numbers[0] = std::bit_cast<float>(std::bit_cast<std::uint32_t>(numbers[0]) ^ 1u);
  } else if (!action.empty()) {
    act(action);
  }
}

}  // namespace lockstep

#endif
