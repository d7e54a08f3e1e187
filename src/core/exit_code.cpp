#include "src/core/exit_code.hpp"

#include <new>
#include <system_error>

namespace lockstep {
namespace {

ExitCode code_of(const std::error_code& error) {
  if (error == std::errc::permission_denied || error == std::errc::operation_not_permitted) {
    return ExitCode::kPermission;
  }
  if (error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory) {
    return ExitCode::kMissingInput;
  }
  return ExitCode::kInputOutput;
}

}  // namespace

ExitCode exit_code_of(const std::exception& error) {
  if (const auto* ours = dynamic_cast<const Error*>(&error)) return ours->code();
  if (const auto* system = dynamic_cast<const std::system_error*>(&error)) {
    return code_of(system->code());
  }
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return ExitCode::kInputOutput;
  return ExitCode::kNumerical;
}

}  // namespace lockstep
