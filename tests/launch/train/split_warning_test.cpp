#include "launch/train/split_warning.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <span>
#include <vector>

namespace lockstep {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

template <class T>
std::string warning(const std::vector<T>& y, double split,
                    const char* loss = "sparse_categorical_crossentropy") {
  return split_warning(array_view(std::span<const T>(y), {}), split, *make_loss(loss));
}

TEST(SplitWarning, NamesClassesThatOnlyOnePartHas) {
  const std::vector<std::uint8_t> sorted = {0, 0, 0, 0, 1, 1, 1, 1, 2, 2};
  EXPECT_THAT(warning(sorted, 0.2),
              AllOf(HasSubstr("last 2 rows"), HasSubstr("--validation-split 0.2"),
                    HasSubstr("hold class 2, which no other row has"), HasSubstr("--x-val")));
  EXPECT_THAT(warning<float>({0, 0, 0, 0, 1, 1, 1, 1}, 0.25, "binary_crossentropy"),
              HasSubstr("lack class 0"));
  EXPECT_THAT(warning<std::int64_t>({0, 1, 0, 1, 5, 7}, 0.34), HasSubstr("hold classes 5, 7"));
}

TEST(SplitWarning, IsSilentWhereTheRowsAreMixedOrHaveNoClasses) {
  EXPECT_THAT(warning<std::uint8_t>({0, 1, 2, 0, 1, 2, 0, 1, 2}, 0.4), IsEmpty());
  EXPECT_THAT(warning<std::uint8_t>({0, 2, 0, 1, 0, 1, 0, 0, 1}, 0.25), IsEmpty())
      << "a class of one row";
  EXPECT_THAT(warning<std::int64_t>({1, 2, 3, 4, 5}, 0.4, "mean_squared_error"), IsEmpty());
  EXPECT_THAT(warning<float>({0.5F, 0.25F, 0, 1}, 0.25, "binary_crossentropy"), IsEmpty());
}

}  // namespace
}  // namespace lockstep
