#pragma once

#include <cstdint>
#include <string>

namespace lockstep {

/// The number types that rows are held in, always in the machine's byte order.
enum class ElementType {
  kInt8,
  kUint8,
  kInt16,
  kUint16,
  kInt32,
  kUint32,
  kInt64,
  kUint64,
  kFloat32,
  kFloat64
};

std::size_t element_size(ElementType type);
std::string to_string(ElementType type);  ///< numpy's: "uint8", "float32"
bool is_integer(ElementType type);

template <class T>
constexpr ElementType element_type_of();
template <>
constexpr ElementType element_type_of<std::int8_t>() {
  return ElementType::kInt8;
}
template <>
constexpr ElementType element_type_of<std::uint8_t>() {
  return ElementType::kUint8;
}
template <>
constexpr ElementType element_type_of<std::int16_t>() {
  return ElementType::kInt16;
}
template <>
constexpr ElementType element_type_of<std::uint16_t>() {
  return ElementType::kUint16;
}
template <>
constexpr ElementType element_type_of<std::int32_t>() {
  return ElementType::kInt32;
}
template <>
constexpr ElementType element_type_of<std::uint32_t>() {
  return ElementType::kUint32;
}
template <>
constexpr ElementType element_type_of<std::int64_t>() {
  return ElementType::kInt64;
}
template <>
constexpr ElementType element_type_of<std::uint64_t>() {
  return ElementType::kUint64;
}
template <>
constexpr ElementType element_type_of<float>() {
  return ElementType::kFloat32;
}
template <>
constexpr ElementType element_type_of<double>() {
  return ElementType::kFloat64;
}

/// Calls function.template operator()<T>() with the C++ type of `type`.
template <class Function>
decltype(auto) with_element_type(ElementType type, Function&& function) {
  switch (type) {
    case ElementType::kInt8:
      return function.template operator()<std::int8_t>();
    case ElementType::kUint8:
      return function.template operator()<std::uint8_t>();
    case ElementType::kInt16:
      return function.template operator()<std::int16_t>();
    case ElementType::kUint16:
      return function.template operator()<std::uint16_t>();
    case ElementType::kInt32:
      return function.template operator()<std::int32_t>();
    case ElementType::kUint32:
      return function.template operator()<std::uint32_t>();
    case ElementType::kInt64:
      return function.template operator()<std::int64_t>();
    case ElementType::kUint64:
      return function.template operator()<std::uint64_t>();
    case ElementType::kFloat32:
      return function.template operator()<float>();
    case ElementType::kFloat64:
      break;
  }
  return function.template operator()<double>();
}

}  // namespace lockstep
