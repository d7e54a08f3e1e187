#include <algorithm>

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
  if (const std::size_t bits = H5Tget_precision(type); bits > 0 && bits < size * 8)
    result.name += fmt::format(" of {} bits", bits);
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

NumberType bit_type(hid_t type) {
  const std::size_t size = H5Tget_size(type);
  NumberType result;
  result.name = fmt::format("{}bitfield of {} bits", order_of(type), size * 8);
  using enum ElementType;
  if (size == 1) result.native = kUint8;
  if (size == 2) result.native = kUint16;
  if (size == 4) result.native = kUint32;
  if (size == 8) result.native = kUint64;
  return result;
}

std::string member_name(hid_t type, unsigned member, const std::string& where) {
  char* text = H5Tget_member_name(type, member);
  check(text != nullptr, ExitCode::kBadData, "[{}] cannot read the type", where);
  std::string name = text;
  H5free_memory(text);
  return name;
}

/// "compound of a, b, c"; what numpy, h5py and MATLAB write for complex numbers is named so.
std::string compound_name(hid_t type, const std::string& where) {
  const int members = checked(H5Tget_nmembers(type), where, "cannot read the type");
  std::vector<std::string> names;
  for (unsigned i = 0; i < static_cast<unsigned>(std::min(members, 8)); ++i)
    names.push_back(printable(member_name(type, i, where)));
  if (names == std::vector<std::string>{"r", "i"} ||
      names == std::vector<std::string>{"real", "imag"})
    return fmt::format("complex (compound of {} and {})", names[0], names[1]);
  return fmt::format("compound of {}{}", fmt::join(names, ", "),
                     members > 8 ? fmt::format(" and {} more", members - 8) : "");
}

std::string opaque_name(hid_t type) {
  char* tag = H5Tget_tag(type);
  const std::string text = tag == nullptr ? "" : printable(tag);
  if (tag != nullptr) H5free_memory(tag);
  if (text.starts_with("NUMPY:<M8") || text.starts_with("NUMPY:>M8"))
    return "opaque (NumPy's datetime64)";
  return text.empty() ? "opaque" : "opaque (" + text + ")";
}

void add_fields(hid_t type, const std::string& prefix, const std::string& where, int depth,
                std::vector<Field>& fields) {
  const int members = checked(H5Tget_nmembers(type), where, "cannot read the type");
  for (unsigned i = 0; i < static_cast<unsigned>(members); ++i) {
    Field field;
    field.name = prefix + member_name(type, i, where);
    Handle member(checked(H5Tget_member_type(type, i), where, "cannot read the type"));
    const H5T_class_t kind = H5Tget_class(member.id());
    if (kind == H5T_COMPOUND && depth < 4) {
      add_fields(member.id(), field.name + ".", where, depth + 1, fields);
      continue;
    }
    if (kind == H5T_ARRAY) {
      std::vector<hsize_t> extents(
          static_cast<std::size_t>(std::max(0, H5Tget_array_ndims(member.id()))));
      checked(H5Tget_array_dims2(member.id(), extents.data()), where, "cannot read the type");
      field.extents = Shape(extents.begin(), extents.end());
      member = Handle(checked(H5Tget_super(member.id()), where, "cannot read the type"));
    }
    const NumberType number = number_type(member.id(), where);
    field.type = number.native;
    field.stored_type = number.name;
    field.text = number.text && element_count(field.extents) == 1;
    fields.push_back(std::move(field));
  }
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
      return {std::nullopt,
              H5Tis_variable_str(type) > 0
                  ? std::string("string of variable length")
                  : fmt::format("string of fixed length {}", H5Tget_size(type)),
              true};
    case H5T_COMPOUND:
      return {std::nullopt, compound_name(type, where)};
    case H5T_VLEN:
      return {std::nullopt, "variable-length sequence"};
    case H5T_ARRAY:
      return {std::nullopt, "array"};
    case H5T_BITFIELD:
      return bit_type(type);
    case H5T_OPAQUE:
      return {std::nullopt, opaque_name(type)};
    case H5T_REFERENCE:
      return {std::nullopt, "reference (as in a MATLAB cell array)"};
    case H5T_TIME:
      return {std::nullopt, "time"};
    default:
      return {std::nullopt, "unknown"};
  }
}

std::vector<Field> compound_fields(hid_t type, const std::string& where) {
  std::vector<Field> fields;
  if (H5Tget_class(type) == H5T_COMPOUND) add_fields(type, "", where, 0, fields);
  return fields;
}

hid_t memory_type(hid_t stored, ElementType type) {
  if (H5Tget_class(stored) != H5T_BITFIELD) return native_type(type);
  switch (element_size(type)) {
    case 1:
      return H5T_NATIVE_B8;
    case 2:
      return H5T_NATIVE_B16;
    case 4:
      return H5T_NATIVE_B32;
    default:
      return H5T_NATIVE_B64;
  }
}

}  // namespace lockstep::hdf5::detail
