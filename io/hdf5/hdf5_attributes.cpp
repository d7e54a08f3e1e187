#include <algorithm>

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

std::vector<std::string> read_fixed(hid_t attribute, hid_t type, std::size_t count,
                                    const std::string& where) {
  const std::size_t length = H5Tget_size(type);
  check(length > 0 && static_cast<std::int64_t>(length) <= kMaxAttributeBytes &&
            static_cast<std::int64_t>(length) *
                    static_cast<std::int64_t>(std::min<std::size_t>(count, kMaxAttributeBytes)) <=
                kMaxAttributeBytes,
        ExitCode::kBadData, "[{}] expected an attribute of at most {} bytes, got {} of {} bytes",
        where, kMaxAttributeBytes, count, length);
  std::string bytes(length * count, '\0');
  checked(H5Aread(attribute, type, bytes.data()), where, "cannot read the attribute");
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < count; ++i) {
    texts.push_back(unpad(std::string_view(bytes).substr(i * length, length), H5Tget_strpad(type)));
  }
  return texts;
}

std::vector<std::string> read_variable(hid_t attribute, hid_t type, hid_t space, std::size_t count,
                                       const std::string& where) {
  const Handle memory_type(checked(H5Tcopy(H5T_C_S1), where, "cannot read the attribute"));
  checked(H5Tset_size(memory_type.id(), H5T_VARIABLE), where, "cannot read the attribute");
  checked(H5Tset_cset(memory_type.id(), H5Tget_cset(type)), where, "cannot read the attribute");
  std::vector<char*> pointers(count, nullptr);
  const herr_t result = H5Aread(attribute, memory_type.id(), pointers.data());
  if (result < 0) fail_call(where, "cannot read the attribute");
  std::vector<std::string> texts;
  for (const char* text : pointers) texts.emplace_back(text == nullptr ? "" : text);
#if H5_VERSION_GE(1, 12, 0)
  H5Treclaim(memory_type.id(), space, H5P_DEFAULT, pointers.data());
#else
  H5Dvlen_reclaim(memory_type.id(), space, H5P_DEFAULT, pointers.data());
#endif
  return texts;
}

/// All strings of an attribute, whatever its rank; none if it is empty.
std::vector<std::string> read_texts(hid_t object, const std::string& where,
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
  return H5Tis_variable_str(type.id()) > 0
             ? read_variable(attribute.id(), type.id(), space.id(), strings, where)
             : read_fixed(attribute.id(), type.id(), strings, where);
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
  const std::vector<std::string> texts = read_texts(object.id(), where, name);
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
  if (has_attribute(path, name)) return read_texts(object.id(), where, name);
  check(has_attribute(path, name + "0"), ExitCode::kBadData,
        "[{}] expected an attribute {}, got none of that name", where, printable(name));
  std::vector<std::string> all;
  for (int part = 0; has_attribute(path, fmt::format("{}{}", name, part)); ++part) {
    for (std::string& text : read_texts(object.id(), where, fmt::format("{}{}", name, part))) {
      all.push_back(std::move(text));
    }
  }
  return all;
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
