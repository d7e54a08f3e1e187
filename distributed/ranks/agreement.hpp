#pragma once

#include <functional>

#include "distributed/ranks/communicator.hpp"
#include "src/core/error.hpp"

namespace lockstep {

/// An Error that every rank of a communicator throws at the same place: nobody waits for anybody,
/// so a program may end in good order. Any other exception may be one rank's alone.
class CollectiveError : public Error {
 public:
  using Error::Error;
};

/// Throws CollectiveError unless `condition`, which must be equal on every rank, holds.
template <class... Args>
void check_collectively(bool condition, ExitCode code, fmt::format_string<Args...> format,
                        Args&&... args) {
  if (!condition) throw CollectiveError(code, fmt::format(format, std::forward<Args>(args)...));
}

/// Runs `action` on every rank, where one rank alone may fail (open, read, allocate). If it throws
/// on any rank, every rank throws a CollectiveError with the code and message of the lowest such
/// rank, which the message names unless every rank failed. Other exceptions count by
/// exit_code_of(). Collective; `action` must not communicate.
void together(const Communicator& communicator, const std::function<void()>& action);

/// Runs a collective `action`. What it throws on this rank alone, any exception but
/// CollectiveError, raises the alarm: no other rank waits for this one, all throw a CollectiveError
/// with its message and code. This rank's own has the exception nested in it. On one rank it comes
/// out as it is.
void never_alone(const Communicator& communicator, const std::function<void()>& action);

/// As together(), but `action` runs on rank 0 only.
void on_root(const Communicator& communicator, const std::function<void()>& action);

}  // namespace lockstep
