#include "io/hdf5/hdf5_detail.hpp"

namespace lockstep::hdf5::detail {
namespace {

std::string order_of(hid_t type) {
  return H5Tget_size(type) > 1 && H5Tget_order(type) == H5T_ORDER_BE ? "big-endian " : "";
}

NumberType integer_type(hid_t type) {
  const std::size_t size = H5Tget_size(type);
  const bool is_signed = H5Tget_sign(type) != H5T_SGN_NONE;
  NumberType result;
  result.name = fmt::format("{}{}int{}", order_of(type), is_signed ? "" : "u", size * 8);
  using enum ElementType;
  if (size == 1) result.native = is_signed ? kInt8 : kUint8;
  if (size == 2) result.native = is_signed ? kInt16 : kUint16;
  if (size == 3 || size == 4) result.native = is_signed ? kInt32 : kUint32;
  if (size >= 5 && size <= 8) result.native = is_signed ? kInt64 : kUint64;
  return result;
}

NumberType float_type(hid_t type) {
  const std::size_t size = H5Tget_size(type);
  NumberType result;
  result.name = fmt::format("{}float{}", order_of(type), size * 8);
  result.native = size <= 4 ? ElementType::kFloat32 : ElementType::kFloat64;
  return result;
}

}  // namespace

NumberType number_type(hid_t type, const std::string& where) {
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
      return integer_type(type);
    case H5T_FLOAT:
      return float_type(type);
    case H5T_ENUM: {  // h5py's bool
      const Handle base(checked(H5Tget_super(type), where, "cannot read the type"));
      NumberType result = integer_type(base.id());
      result.name = "enum of " + result.name;
      return result;
    }
    case H5T_STRING:
      return {std::nullopt, H5Tis_variable_str(type) > 0
                                ? std::string("string of variable length")
                                : fmt::format("string of fixed length {}", H5Tget_size(type))};
    case H5T_COMPOUND:
      return {std::nullopt, "compound"};
    case H5T_VLEN:
      return {std::nullopt, "variable-length sequence"};
    case H5T_ARRAY:
      return {std::nullopt, "array"};
    case H5T_BITFIELD:
      return {std::nullopt, "bitfield"};
    case H5T_OPAQUE:
      return {std::nullopt, "opaque"};
    case H5T_REFERENCE:
      return {std::nullopt, "reference"};
    default:
      return {std::nullopt, "unknown"};
  }
}

}  // namespace lockstep::hdf5::detail
