#include "distributed/ranks/agreement.hpp"

#include <fmt/format.h>

#include <exception>
#include <new>
#include <string>

#include "src/core/exit_code.hpp"
#include "src/core/memory.hpp"

namespace lockstep {
namespace {

struct Outcome {
  ExitCode code = ExitCode::kDone;
  std::string message;
};

/// Of the exception that is being handled.
Outcome current_outcome() {
  try {
    throw;
  } catch (const Error& error) {
    return {error.code(), error.what()};
  } catch (const std::bad_alloc& error) {
    return {ExitCode::kInputOutput, out_of_memory(error)};
  } catch (const std::exception& error) {
    return {exit_code_of(error), error.what()};
  } catch (...) {
    return {ExitCode::kNumerical, "an exception that is no std::exception"};
  }
}

Outcome outcome_of(const std::function<void()>& action) {
  try {
    action();
    return {};
  } catch (...) {
    return current_outcome();
  }
}

void agree(const Communicator& communicator, const Outcome& mine) {
  const bool failed = mine.code != ExitCode::kDone;
  const std::int64_t failures = communicator.all_sum(std::int64_t{failed ? 1 : 0});
  if (failures == 0) return;
  // The lowest rank that failed speaks for all.
  const int speaker =
      static_cast<int>(communicator.all_min(failed ? communicator.rank() : communicator.size()));
  const auto messages =
      communicator.all_gather(communicator.rank() == speaker
                                  ? fmt::format("{} {}", static_cast<int>(mine.code), mine.message)
                                  : "");
  const std::string& spoken = messages[static_cast<std::size_t>(speaker)];
  const std::size_t space = spoken.find(' ');
  std::string text = spoken.substr(space + 1);
  if (failures < communicator.size()) text = fmt::format("rank {}: {}", speaker, text);
  throw CollectiveError(static_cast<ExitCode>(std::stoi(spoken.substr(0, space))), text);
}

}  // namespace

void together(const Communicator& communicator, const std::function<void()>& action) {
  agree(communicator, outcome_of(action));
}

void never_alone(const Communicator& communicator, const std::function<void()>& action) {
  try {
    action();
    communicator.barrier();  // or those that are through would not hear of the last one
  } catch (const CollectiveError&) {
    throw;
  } catch (...) {
    if (communicator.size() == 1) throw;
    const Outcome mine = current_outcome();
    const std::string text = fmt::format("rank {}: {}", communicator.rank(), mine.message);
    communicator.raise_alarm(mine.code, text);
    std::throw_with_nested(CollectiveError(mine.code, text));
  }
}

void on_root(const Communicator& communicator, const std::function<void()>& action) {
  Outcome outcome;
  if (communicator.is_root()) outcome = outcome_of(action);
  const int code = static_cast<int>(communicator.all_max(static_cast<std::int64_t>(outcome.code)));
  if (code == 0) return;
  throw CollectiveError(static_cast<ExitCode>(code), communicator.broadcast(outcome.message));
}

}  // namespace lockstep
