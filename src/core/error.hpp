#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>

namespace lockstep {

/// What the `lockstep` program exits with (the values of BSD's sysexits.h).
enum class ExitCode : int {
  kDone = 0,
  kUsage = 64,         ///< an option or an argument is wrong
  kBadData = 65,       ///< a dataset, model or checkpoint file holds what it must not
  kMissingInput = 66,  ///< an input file is not there
  kNumerical = 70,     ///< NaN, Inf, or replicas that differ
  kHang = 71,
  kCannotCreate = 73,
  kInputOutput = 74,
  kStopped = 75,  ///< stopped on request after a good checkpoint: start again to go on
  kPermission = 77,
  kDisagreement = 78,  ///< ranks disagree at the start
};

/// The one exception type: a message of the form "[where] expected this, got that", and the exit
/// code that it means for a program.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

/// Throws Error with a formatted message.
template <class... Args>
[[noreturn]] void fail(ExitCode code, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(code, fmt::format(format, std::forward<Args>(args)...));
}

/// fail() unless `condition` holds.
template <class... Args>
void check(bool condition, ExitCode code, fmt::format_string<Args...> format, Args&&... args) {
  if (!condition) fail(code, format, std::forward<Args>(args)...);
}

}  // namespace lockstep
