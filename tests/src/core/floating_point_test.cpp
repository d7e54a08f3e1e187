#include "src/core/floating_point.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "src/core/parallel.hpp"
#include "tests/support/floating_point.hpp"

namespace lockstep {
namespace {

/// Results of arithmetic that rounds, underflows and divides by zero.
std::vector<float> arithmetic() {
  volatile float three = 3.0f;
  volatile float denormal = 1e-39f;
  volatile float tiny = 1e-20f;
  volatile float zero = 0.0f;
  return {1.0f / three, -1.0f / three, denormal * 1e3f, tiny * tiny, 1.0f / zero, three * 1e38f};
}

TEST(FloatingPointEnvironment, IsTheSameInEveryEnvironmentAndRestoresIt) {
  for (const Denormals denormals : {Denormals::kFlush, Denormals::kKeep}) {
    std::vector<float> expected;
    {
      const FloatingPointEnvironment environment(denormals);
      expected = arithmetic();
    }
    for (const auto& [name, make] : test::foreign_environments()) {
      SCOPED_TRACE(name);
      std::vector<float> results(expected.size());
      bool restored = false;
      {
        const test::ForeignEnvironment foreign(make);
        const FloatingPointState before = FloatingPointState::of_this_thread();
        {
          const FloatingPointEnvironment environment(denormals);
          std::ranges::copy(arithmetic(), results.begin());
        }
        restored = FloatingPointState::of_this_thread() == before;
      }
      EXPECT_EQ(results, expected);
      EXPECT_TRUE(restored);
    }
  }
}

TEST(FloatingPointEnvironment, KeepsOrFlushesDenormals) {
  const auto product = [](Denormals denormals) {
    const FloatingPointEnvironment environment(denormals);
    volatile float denormal = 1e-39f;
    return denormal * 1e3f;
  };
  EXPECT_EQ(product(Denormals::kFlush), 0.0f);
  EXPECT_GT(product(Denormals::kKeep), 0.0f);
}

TEST(FloatingPointEnvironment, IsRestoredByAnException) {
  for (const auto& [name, make] : test::foreign_environments()) {
    SCOPED_TRACE(name);
    bool restored = false;
    {
      const test::ForeignEnvironment foreign(make);
      const FloatingPointState before = FloatingPointState::of_this_thread();
      try {
        const FloatingPointEnvironment environment;
        throw std::runtime_error("out of it");
      } catch (const std::runtime_error&) {
        restored = FloatingPointState::of_this_thread() == before;
      }
    }
    EXPECT_TRUE(restored);
  }
}

TEST(FloatingPointEnvironment, RestoresTheRegistersOfLongDoubleToo) {
  // Stored in memory at once: the compiler does not know that the environment matters.
  volatile long double three = 3;
  const volatile long double nearest = 1 / three;
  const test::ForeignEnvironment foreign([] { std::fesetround(FE_DOWNWARD); });
  const volatile long double downward = 1 / three;
  volatile long double inside = 0;
  {
    const FloatingPointEnvironment environment;
    inside = 1 / three;
  }
  const volatile long double again = 1 / three;
  EXPECT_EQ(inside, nearest);
  EXPECT_EQ(again, downward);
  EXPECT_NE(downward, nearest);
}

TEST(FloatingPointEnvironment, ReachesEveryThreadOfALoopAndNothingBehindIt) {
  std::vector<float> expected;
  {
    const FloatingPointEnvironment environment;
    expected = arithmetic();
  }
  set_threads(3);
  parallel_for(3, [](std::int64_t) {});  // the threads exist before the environment is set
  for (const auto& [name, make] : test::foreign_environments()) {
    SCOPED_TRACE(name);
    std::vector<std::vector<float>> results(6);
    std::vector<float> behind(3);
    {
      const test::ForeignEnvironment foreign(make);
      const FloatingPointEnvironment environment;
      parallel_for(6, [&](std::int64_t i) { results[static_cast<std::size_t>(i)] = arithmetic(); });
    }
    volatile float three = 3.0f;
    parallel_for(3, [&](std::int64_t i) { behind[static_cast<std::size_t>(i)] = 1.0f / three; });
    EXPECT_EQ(results, std::vector<std::vector<float>>(6, expected));
    EXPECT_EQ(behind, std::vector<float>(3, 1.0f / three));
  }
  set_threads(1);
}

}  // namespace
}  // namespace lockstep
