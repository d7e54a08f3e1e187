#include "src/core/element_type.hpp"

#include <gtest/gtest.h>

#include <string>
#include <type_traits>

namespace lockstep {
namespace {

TEST(ElementType, HasNumpysNameAndSize) {
  std::string names;
  for (int i = 0; i <= static_cast<int>(ElementType::kFloat64); ++i)
    names += to_string(static_cast<ElementType>(i)) + " ";
  EXPECT_EQ(names, "int8 uint8 int16 uint16 int32 uint32 int64 uint64 float32 float64 ");
  EXPECT_EQ(element_size(ElementType::kInt8), 1u);
  EXPECT_EQ(element_size(ElementType::kUint16), 2u);
  EXPECT_EQ(element_size(ElementType::kInt32), 4u);
  EXPECT_EQ(element_size(ElementType::kFloat32), 4u);
  EXPECT_EQ(element_size(ElementType::kUint64), 8u);
  EXPECT_EQ(element_size(ElementType::kFloat64), 8u);
}

TEST(ElementType, KnowsItsCppType) {
  for (int i = 0; i <= static_cast<int>(ElementType::kFloat64); ++i) {
    const auto type = static_cast<ElementType>(i);
    const auto back = with_element_type(type, []<class T>() { return element_type_of<T>(); });
    const bool integer = with_element_type(type, []<class T>() { return std::is_integral_v<T>; });
    EXPECT_EQ(back, type);
    EXPECT_EQ(is_integer(type), integer) << to_string(type);
  }
}

}  // namespace
}  // namespace lockstep
