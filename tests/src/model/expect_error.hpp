#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "src/core/error.hpp"

namespace lockstep {

/// `call` throws Error of this code, with a message on one line of ASCII that `matches`.
template <class Call, class Matcher>
void expect_error(ExitCode code, const Call& call, const Matcher& matches) {
  try {
    call();
    ADD_FAILURE() << "expected an Error, nothing was thrown";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(error.code(), code) << message;
    EXPECT_THAT(message, matches);
    EXPECT_TRUE(std::ranges::all_of(message, [](char c) { return c >= 0x20 && c < 0x7f; }))
        << message;
  }
}

}  // namespace lockstep
