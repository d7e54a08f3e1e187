#include "launch/cli/numerics_choice.hpp"

#include <gtest/gtest.h>

#include "src/core/error.hpp"

namespace lockstep {
namespace {

TEST(NumericsChoice, IsExactUnlessACpuWouldHaveToEmulateIt) {
  EXPECT_EQ(choose_numerics(std::nullopt, true), Numerics::kExact);
  EXPECT_EQ(choose_numerics(std::nullopt, false), Numerics::kFast);
}

TEST(NumericsChoice, IsWhatTheUserWants) {
  for (const bool fma : {false, true}) {
    EXPECT_EQ(choose_numerics(numerics_from_text("exact"), fma), Numerics::kExact);
    EXPECT_EQ(choose_numerics(numerics_from_text("fast"), fma), Numerics::kFast);
  }
}

TEST(NumericsChoice, RefusesOtherWords) {
  try {
    numerics_from_text("quick");
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_STREQ(error.what(), "[options] --numerics: expected exact or fast, got 'quick'");
  }
}

}  // namespace
}  // namespace lockstep
