#include "src/core/element_type.hpp"

namespace lockstep {

std::size_t element_size(ElementType type) {
  return with_element_type(type, []<class T>() { return sizeof(T); });
}

std::string to_string(ElementType type) {
  switch (type) {
    case ElementType::kInt8:
      return "int8";
    case ElementType::kUint8:
      return "uint8";
    case ElementType::kInt16:
      return "int16";
    case ElementType::kUint16:
      return "uint16";
    case ElementType::kInt32:
      return "int32";
    case ElementType::kUint32:
      return "uint32";
    case ElementType::kInt64:
      return "int64";
    case ElementType::kUint64:
      return "uint64";
    case ElementType::kFloat32:
      return "float32";
    case ElementType::kFloat64:
      break;
  }
  return "float64";
}

bool is_integer(ElementType type) {
  return type != ElementType::kFloat32 && type != ElementType::kFloat64;
}

}  // namespace lockstep
