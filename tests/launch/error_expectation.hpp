#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

#include "src/core/error.hpp"

namespace lockstep {

/// Expects `action` to throw Error with this code and all of these parts in its message.
template <class Action, class... Parts>
void expect_error(ExitCode code, const Action& action, const Parts&... parts) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.code()), static_cast<int>(code)) << error.what();
    const std::string message = error.what();
    for (const std::string& part : std::initializer_list<std::string>{parts...}) {
      EXPECT_NE(message.find(part), std::string::npos)
          << "expected '" << part << "' in: " << message;
    }
    return;
  }
  ADD_FAILURE() << "expected an Error";
}

}  // namespace lockstep
