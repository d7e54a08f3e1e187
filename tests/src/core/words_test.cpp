#include "src/core/words.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace lockstep {
namespace {

TEST(Words, BecomeLowerCase) {
  EXPECT_EQ(lower_case("RMSprop_1\xc3\x84"), "rmsprop_1\xc3\x84");
}

TEST(Words, BecomeAlternatives) {
  using List = std::vector<std::string>;
  EXPECT_EQ(alternatives(List{}), "");
  EXPECT_EQ(alternatives(List{"a"}), "a");
  EXPECT_EQ(alternatives(List{"a", "b"}), "a or b");
  EXPECT_EQ(alternatives(List{"a", "b", "c"}), "a, b or c");
}

}  // namespace
}  // namespace lockstep
