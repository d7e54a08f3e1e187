#pragma once

#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "src/core/error.hpp"

namespace lockstep {

/// What is wrong with a file or an option, collected so that one message names all of it.
class Problems {
 public:
  /// `place`: "model JSON: config.layers[2] (dense_1): units"; `text`: "expected ..., got ...".
  void add(std::string place, std::string text);
  void add(const Problems& others);

  bool empty() const { return list_.empty(); }
  /// One problem as "place: text", several counted and with numbers in front; equal expectations
  /// once, with all that was found and where.
  std::string text() const;
  /// Throws ProblemsError unless there is none.
  void throw_if_any(ExitCode code) const;

 private:
  std::vector<std::pair<std::string, std::string>> list_;
};

/// What an error says behind its "[where] ", printable.
std::string without_where(const std::exception& error);

/// An Error that says all that is wrong, and can be joined with others.
class ProblemsError : public Error {
 public:
  ProblemsError(ExitCode code, Problems problems)
      : Error(code, problems.text()), problems_(std::move(problems)) {}
  const Problems& problems() const { return problems_; }

 private:
  Problems problems_;
};

}  // namespace lockstep
