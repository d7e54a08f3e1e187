#include <algorithm>
#include <functional>

#include "io/hdf5/hdf5_detail.hpp"

namespace lockstep::hdf5 {
namespace {

using namespace detail;

/// Attributes live in object headers and heaps; ours are lists of names and JSON texts.
constexpr std::int64_t kMaxAttributeBytes = std::int64_t{64} << 20;

herr_t collect_attribute(hid_t, const char* name, const H5A_info_t*, void* names) noexcept {
  static_cast<std::vector<std::string>*>(names)->emplace_back(name);
  return 0;
}

/// A fixed-length string without its padding.
std::string unpad(std::string_view text, H5T_str_t padding) {
  if (padding == H5T_STR_SPACEPAD) {
    return std::string(text.substr(0, text.find_last_not_of(' ') + 1));
  }
  return std::string(text.substr(0, text.find('\0')));
}

/// Reads what an attribute or a dataset holds in a type of memory.
using ReadStrings = std::function<herr_t(hid_t memory_type, void* out)>;

std::vector<std::string> read_fixed(const ReadStrings& read, hid_t type, std::size_t count,
                                    const std::string& where) {
  const std::size_t length = H5Tget_size(type);
  std::string bytes(length * count, '\0');
  checked(read(type, bytes.data()), where, "cannot read the strings");
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < count; ++i) {
    texts.push_back(unpad(std::string_view(bytes).substr(i * length, length), H5Tget_strpad(type)));
  }
  return texts;
}

std::vector<std::string> read_variable(const ReadStrings& read, hid_t type, hid_t space,
                                       std::size_t count, const std::string& where) {
  const Handle memory_type(checked(H5Tcopy(H5T_C_S1), where, "cannot read the strings"));
  checked(H5Tset_size(memory_type.id(), H5T_VARIABLE), where, "cannot read the strings");
  checked(H5Tset_cset(memory_type.id(), H5Tget_cset(type)), where, "cannot read the strings");
  std::vector<char*> pointers(count, nullptr);
  const herr_t result = read(memory_type.id(), pointers.data());
  if (result < 0) fail_call(where, "cannot read the strings");
  std::vector<std::string> texts;
  for (const char* text : pointers) texts.emplace_back(text == nullptr ? "" : text);
#if H5_VERSION_GE(1, 12, 0)
  H5Treclaim(memory_type.id(), space, H5P_DEFAULT, pointers.data());
#else
  H5Dvlen_reclaim(memory_type.id(), space, H5P_DEFAULT, pointers.data());
#endif
  return texts;
}

std::vector<std::string> read_strings_of(hid_t type, hid_t space, std::size_t count,
                                         const ReadStrings& read, const std::string& where) {
  return H5Tis_variable_str(type) > 0 ? read_variable(read, type, space, count, where)
                                      : read_fixed(read, type, count, where);
}

void check_text_bytes(hid_t type, std::size_t count, const std::string& where) {
  if (H5Tis_variable_str(type) > 0) return;
  const std::size_t length = H5Tget_size(type);
  const auto most = static_cast<std::size_t>(kMaxAttributeBytes);
  check(length > 0 && length <= most && length * std::min(count, most) <= most, ExitCode::kBadData,
        "[{}] expected an attribute of at most {} bytes, got {} of {} bytes", where, most, count,
        length);
}

/// All strings of an attribute, whatever its rank; none if it is empty.
std::vector<std::string> attribute_texts(hid_t object, const std::string& where,
                                         const std::string& name) {
  const Handle attribute(checked(H5Aopen(object, name.c_str(), H5P_DEFAULT), where,
                                 "cannot open the attribute " + printable(name)));
  const Handle space(
      checked(H5Aget_space(attribute.id()), where, "cannot read the attribute's extents"));
  const Handle type(
      checked(H5Aget_type(attribute.id()), where, "cannot read the attribute's type"));
  const hssize_t count = checked(H5Sget_simple_extent_npoints(space.id()), where,
                                 "cannot read the attribute's extents");
  if (count == 0) return {};
  check(H5Tget_class(type.id()) == H5T_STRING, ExitCode::kBadData,
        "[{}] expected strings in the attribute {}, got another type", where, printable(name));
  check(count <= kMaxAttributeBytes / 16, ExitCode::kBadData,
        "[{}] expected at most {} strings in the attribute {}, got {}", where,
        kMaxAttributeBytes / 16, printable(name), count);
  const auto strings = static_cast<std::size_t>(count);
  check_text_bytes(type.id(), strings, where);
  return read_strings_of(
      type.id(), space.id(), strings,
      [&](hid_t memory, void* out) { return H5Aread(attribute.id(), memory, out); }, where);
}

}  // namespace

bool File::has_attribute(const std::string& path, const std::string& name) const {
  const Quiet quiet;
  const Handle object = open_object(*this, file_.id(), path, trust_);
  return checked(H5Aexists(object.id(), name.c_str()), label(name_, path),
                 "cannot look up attributes") > 0;
}

std::string File::read_string(const std::string& path, const std::string& name) const {
  const Quiet quiet;
  const std::string where = label(name_, path);
  check(has_attribute(path, name), ExitCode::kBadData,
        "[{}] expected an attribute {}, got none of that name", where, printable(name));
  const Handle object = open_object(*this, file_.id(), path, trust_);
  const std::vector<std::string> texts = attribute_texts(object.id(), where, name);
  check(texts.size() == 1, ExitCode::kBadData,
        "[{}] expected one string in the attribute {}, got {}", where, printable(name),
        texts.size());
  return texts.front();
}

std::vector<std::string> File::read_strings(const std::string& path,
                                            const std::string& name) const {
  const Quiet quiet;
  const std::string where = label(name_, path);
  const Handle object = open_object(*this, file_.id(), path, trust_);
  if (has_attribute(path, name)) return attribute_texts(object.id(), where, name);
  check(has_attribute(path, name + "0"), ExitCode::kBadData,
        "[{}] expected an attribute {}, got none of that name", where, printable(name));
  std::vector<std::string> all;
  for (int part = 0; has_attribute(path, fmt::format("{}{}", name, part)); ++part) {
    for (std::string& text : attribute_texts(object.id(), where, fmt::format("{}{}", name, part))) {
      all.push_back(std::move(text));
    }
  }
  return all;
}

AttributeNumbers File::read_numbers(const std::string& path, const std::string& name) const {
  const Quiet quiet;
  if (!has_attribute(path, name)) return {};
  const std::string where = label(name_, path);
  const Handle object = open_object(*this, file_.id(), path, trust_);
  const Handle attribute(
      checked(H5Aopen(object.id(), name.c_str(), H5P_DEFAULT), where, "cannot open an attribute"));
  const Handle space(checked(H5Aget_space(attribute.id()), where, "cannot read an attribute"));
  const Handle type(checked(H5Aget_type(attribute.id()), where, "cannot read an attribute"));
  const NumberType number = number_type(type.id(), where);
  const hssize_t count = H5Sget_simple_extent_npoints(space.id());
  if (!number.native || H5Tget_class(type.id()) == H5T_BITFIELD || count <= 0 ||
      count > kMaxAttributeBytes / 16)
    return {};
  return with_element_type(*number.native, [&]<class T>() {
    std::vector<T> values(static_cast<std::size_t>(count));
    checked(H5Aread(attribute.id(), native_type(*number.native), values.data()), where,
            "cannot read an attribute");
    return AttributeNumbers(values.begin(), values.end());
  });
}

bool File::is_float_attribute(const std::string& path, const std::string& name) const {
  const Quiet quiet;
  if (!has_attribute(path, name)) return false;
  const Handle object = open_object(*this, file_.id(), path, trust_);
  const Handle attribute(H5Aopen(object.id(), name.c_str(), H5P_DEFAULT));
  const Handle type(H5Aget_type(attribute.id()));
  return type.id() >= 0 && H5Tget_class(type.id()) == H5T_FLOAT;
}

std::string File::text_or_nothing(const std::string& path, const std::string& name) const {
  const Quiet quiet;
  if (!has_attribute(path, name)) return "";
  const Handle object = open_object(*this, file_.id(), path, trust_);
  const Handle attribute(H5Aopen(object.id(), name.c_str(), H5P_DEFAULT));
  const Handle type(H5Aget_type(attribute.id()));
  if (type.id() < 0 || H5Tget_class(type.id()) != H5T_STRING) return "";
  const auto texts = attribute_texts(object.id(), label(name_, path), name);
  return texts.empty() ? "" : texts.front();
}

std::vector<std::string> File::read_texts(const std::string& path, const std::string& field) const {
  const Quiet quiet(trust_);
  const std::string where = label(name_, path);
  const OpenDataset dataset = open_dataset(*this, file_.id(), path, trust_, Measure::kStorage);
  check_storage_size(dataset, where);
  Handle type(checked(H5Dget_type(dataset.id.id()), where, "cannot read the type"));
  bool in_array = false;
  if (!field.empty()) {
    const int member = H5Tget_member_index(type.id(), field.c_str());
    check(member >= 0, ExitCode::kBadData, "[{}] expected a field {}, got none of that name", where,
          printable(field));
    type = Handle(checked(H5Tget_member_type(type.id(), static_cast<unsigned>(member)), where,
                          "cannot read the type"));
    in_array = H5Tget_class(type.id()) == H5T_ARRAY;  // of one: PyTables' and pandas' columns
    if (in_array) type = Handle(checked(H5Tget_super(type.id()), where, "cannot read the type"));
  }
  check(H5Tget_class(type.id()) == H5T_STRING, ExitCode::kBadData, "[{}] expected strings, got {}",
        where, dataset.info.stored_type);
  const Handle space(checked(H5Dget_space(dataset.id.id()), where, "cannot read the extents"));
  const auto count = static_cast<std::size_t>(
      checked(H5Sget_simple_extent_npoints(space.id()), where, "cannot read the extents"));
  return read_strings_of(
      type.id(), space.id(), count,
      [&](hid_t memory, void* out) {
        if (field.empty())
          return H5Dread(dataset.id.id(), memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, out);
        const Handle record(H5Tcreate(H5T_COMPOUND, H5Tget_size(memory)));
        const hsize_t one = 1;
        const Handle array(in_array ? H5Tarray_create2(memory, 1, &one) : -1);
        H5Tinsert(record.id(), field.c_str(), 0, in_array ? array.id() : memory);
        return H5Dread(dataset.id.id(), record.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, out);
      },
      where);
}

std::vector<std::string> File::attribute_names(const std::string& path) const {
  const Quiet quiet;
  const Handle object = open_object(*this, file_.id(), path, trust_);
  std::vector<std::string> names;
  checked(H5Aiterate2(object.id(), H5_INDEX_NAME, H5_ITER_INC, nullptr, collect_attribute, &names),
          label(name_, path), "cannot list attributes");
  return names;
}

}  // namespace lockstep::hdf5
