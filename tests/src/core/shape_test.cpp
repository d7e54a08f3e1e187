#include "src/core/shape.hpp"

#include <gtest/gtest.h>

#include "tests/src/model/expect_error.hpp"

namespace lockstep {
namespace {

using testing::HasSubstr;

TEST(Shape, CountsItsElements) {
  EXPECT_EQ(element_count({}), 1);
  EXPECT_EQ(element_count({784}), 784);
  EXPECT_EQ(element_count({28, 28, 3}), 2352);
  EXPECT_EQ(element_count({28, 0, 3}), 0);
  EXPECT_EQ(element_count({INT64_MAX}), INT64_MAX);
}

TEST(Shape, RefusesNegativeExtents) {
  expect_error(
      ExitCode::kBadData,
      [] {
        element_count({28, -1});
      },
      HasSubstr("extents of at least 0, got (28, -1)"));
  expect_error(
      ExitCode::kBadData,
      [] {
        element_count({0, -1});
      },
      HasSubstr("got (0, -1)"));
}

TEST(Shape, RefusesMoreElementsThan63BitsCount) {
  const std::int64_t large = std::int64_t{1} << 32;
  expect_error(
      ExitCode::kBadData,
      [&] {
        element_count({large, large});
      },
      HasSubstr("fewer than 2^63 elements, got (4294967296, 4294967296)"));
  EXPECT_EQ(element_count({large, large, 0}), 0);
}

TEST(Shape, IsPrintedWithAndWithoutTheBatchAxis) {
  EXPECT_EQ(to_string({}), "()");
  EXPECT_EQ(to_string({784}), "(784)");
  EXPECT_EQ(to_string({784, 64}), "(784, 64)");
  EXPECT_EQ(to_string_batched({}), "(None,)");
  EXPECT_EQ(to_string_batched({28, 28}), "(None, 28, 28)");
}

}  // namespace
}  // namespace lockstep
