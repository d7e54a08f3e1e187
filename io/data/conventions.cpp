#include "io/data/conventions.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

using hdf5::AttributeNumbers;
using Mark = Conventions::Mark;

/// Attributes of a dataset, by name.
class Attributes {
 public:
  Attributes(const hdf5::File& file, const std::string& path, const std::string& where)
      : file_(file), path_(path), where_(where), names_(file.attribute_names(path)) {}

  const std::vector<std::string>& names() const { return names_; }
  bool is_float(const std::string& name) const { return file_.is_float_attribute(path_, name); }
  bool has(const std::string& name) const {
    return std::ranges::find(names_, name) != names_.end();
  }
  std::string text(const std::string& name) const {
    return has(name) ? file_.text_or_nothing(path_, name) : "";
  }
  /// Numbers, or text that is one; refuses what is neither.
  AttributeNumbers numbers(const std::string& name) const {
    if (!has(name)) return {};
    AttributeNumbers values = file_.read_numbers(path_, name);
    if (!values.empty()) return values;
    const std::string text = file_.text_or_nothing(path_, name);
    double value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    check(!text.empty() && error == std::errc() && stop == end, ExitCode::kBadData,
          "[{}] expected numbers in the attribute {}, got {}", where_, printable(name),
          text.empty() ? "another type" : "'" + printable(text) + "'");
    return {value};
  }

 private:
  const hdf5::File& file_;
  std::string path_;
  const std::string& where_;
  std::vector<std::string> names_;
};

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/', path.find_last_not_of('/'));
  return slash == path.npos || slash == 0 ? "/" : path.substr(0, slash);
}

[[noreturn]] void refuse(const std::string& where, const std::string& got) {
  fail(ExitCode::kBadData, "[{}] expected an array of numbers, got {}", where, got);
}

/// Datasets whose numbers mean something else.
void refuse_marks(const hdf5::File& file, const std::string& path, const Attributes& own,
                  const std::string& where) {
  if (own.text("NAME").starts_with("This is a netCDF dimension but not a netCDF variable"))
    refuse(where, "a dimension of netCDF without values (a dimension scale)");
  if (own.has("MATLAB_empty"))
    refuse(where,
           "an empty array of MATLAB (attribute MATLAB_empty), of which only the size is stored");
  if (own.has("MATLAB_object_decode"))
    refuse(where, "an object of MATLAB (" + printable(own.text("MATLAB_class")) +
                      ", attribute MATLAB_object_decode); in MATLAB, save double(...) of it, or "
                      "table2array(...)");
  if (own.text("MATLAB_class") == "char")
    refuse(where,
           "text of MATLAB (attribute MATLAB_class = char); in MATLAB, save numbers: "
           "[~, ~, y] = unique(...)");
  const Attributes parent(file, parent_of(path), where);
  if (parent.has("MATLAB_sparse"))
    refuse(where,
           "a part of a sparse matrix of MATLAB (attribute MATLAB_sparse); in MATLAB, save "
           "full(...) of it");
  const std::string encoding = parent.text("encoding-type") + parent.text("h5sparse_format");
  if (encoding.starts_with("cs"))
    refuse(where, "a part of a sparse matrix (attribute encoding-type = " + printable(encoding) +
                      "); in Python, write its .toarray()");
  const std::string value_type = own.text("value_type");
  if (value_type.starts_with("datetime") || value_type.starts_with("timedelta"))
    refuse(where, "times of pandas (attribute value_type = " + printable(value_type) +
                      "), in nanoseconds; in pandas, make numbers of them first");
  if (!value_type.empty() && own.has("shape"))
    refuse(where, "an empty array of pandas (attributes value_type and shape)");
}

bool is_true(const std::string& text) {
  return text == "true" || text == "True" || text == "TRUE" || text == "1";
}

ElementType unsigned_of(ElementType type) {
  using enum ElementType;
  switch (type) {
    case kInt8:
      return kUint8;
    case kInt16:
      return kUint16;
    case kInt32:
      return kUint32;
    case kInt64:
      return kUint64;
    default:
      return type;
  }
}

ElementType signed_of(ElementType type) {
  using enum ElementType;
  switch (type) {
    case kUint8:
      return kInt8;
    case kUint16:
      return kInt16;
    case kUint32:
      return kInt32;
    case kUint64:
      return kInt64;
    default:
      return type;
  }
}

/// What netCDF-4 writes where nothing was written, unless _FillValue says otherwise (netcdf.h).
std::optional<long double> default_fill(ElementType type) {
  using enum ElementType;
  switch (type) {
    case kInt16:
      return -32767;
    case kUint16:
      return 65535;
    case kInt32:
      return -2147483647;
    case kUint32:
      return 4294967295U;
    case kInt64:
      return -9223372036854775806LL;
    case kUint64:
      return 18446744073709551614ULL;
    case kFloat32:
      return 9.9692099683868690e+36F;
    case kFloat64:
      return 9.9692099683868690e+36;
    default:
      return std::nullopt;  // of one byte every value may be data
  }
}

/// The value that an attribute of a signed type has in an unsigned dataset.
long double wrapped(long double value, ElementType type, bool is_unsigned) {
  if (!is_unsigned || value >= 0) return value;
  return value + std::ldexp(1.0L, static_cast<int>(8 * element_size(type)));
}

double one_number(const Attributes& attributes, const std::string& name, double otherwise,
                  const std::string& where) {
  const AttributeNumbers values = attributes.numbers(name);
  if (values.empty()) return otherwise;
  const auto value = static_cast<double>(values.front());
  check(values.size() == 1 && std::isfinite(value), ExitCode::kBadData,
        "[{}] expected one finite number in the attribute {}, got {}", where, name,
        values.size() == 1 ? fmt::format("{}", value) : fmt::format("{} numbers", values.size()));
  return value;
}

void read_missing(const Attributes& attributes, ElementType type, bool is_unsigned,
                  Conventions& result) {
  for (const char* name : {"_FillValue", "missing_value", "fill_value", "FillValue", "_fillvalue",
                           "MissingValue", "CodeMissingValue", "nodata", "NoData", "no_data"}) {
    for (const long double value : attributes.numbers(name))
      result.missing.push_back({name, wrapped(value, type, is_unsigned), false});
  }
  const auto limit = [&](const char* name, std::size_t index, std::optional<Mark>& mark) {
    const AttributeNumbers values = attributes.numbers(name);
    if (index >= values.size()) return;
    // CF 2.5.1: a limit of the unpacked type, where that is another one, is one of unpacked
    // numbers.
    const bool unpacked = result.packed() && is_integer(type) && attributes.is_float(name);
    mark =
        Mark{name, unpacked ? values[index] : wrapped(values[index], type, is_unsigned), unpacked};
  };
  limit("valid_range", 0, result.lowest);
  limit("valid_range", 1, result.highest);
  limit("valid_min", 0, result.lowest);
  limit("valid_max", 0, result.highest);
}

/// A value of the attribute's as one of the elements' type; none if no element can equal it.
template <class T>
std::optional<T> as_element(long double value) {
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(value);
  } else {
    if (std::isnan(value) || value < static_cast<long double>(std::numeric_limits<T>::min()) ||
        value > static_cast<long double>(std::numeric_limits<T>::max()) ||
        value != std::floor(value))
      return std::nullopt;
    return static_cast<T>(value);
  }
}

/// Whether an element is missing, and by which mark.
template <class T>
class MissingTest {
 public:
  explicit MissingTest(const Conventions& conventions) : conventions_(conventions) {
    for (const Mark& mark : conventions.missing) {
      if constexpr (std::is_floating_point_v<T>)
        if (std::isnan(mark.value)) nan_ = &mark;
      if (const auto value = as_element<T>(mark.value)) marks_.push_back({*value, &mark});
    }
  }
  const Mark* operator()(T value) const {
    for (const auto& [mark_value, mark] : marks_)
      if (value == mark_value) return mark;
    if constexpr (std::is_floating_point_v<T>)
      if (std::isnan(value)) return nan_;
    const auto& lowest = conventions_.lowest;
    const auto& highest = conventions_.highest;
    if (lowest && compared(value, *lowest) < lowest->value) return &*lowest;
    if (highest && compared(value, *highest) > highest->value) return &*highest;
    return nullptr;
  }

 private:
  long double compared(T value, const Mark& mark) const {
    if (!mark.unpacked) return static_cast<long double>(value);
    return static_cast<double>(value) * conventions_.scale + conventions_.offset;
  }

  const Conventions& conventions_;
  std::vector<std::pair<T, const Mark*>> marks_;
  const Mark* nan_ = nullptr;
};

template <class T>
T element_at(std::span<const std::byte> values, std::size_t i) {
  T value;
  std::memcpy(&value, values.data() + i * sizeof value, sizeof value);
  return value;
}

}  // namespace

Conventions read_conventions(const hdf5::File& file, const std::string& dataset, ElementType& type,
                             const std::string& where) {
  const Attributes attributes(file, dataset, where);
  refuse_marks(file, dataset, attributes, where);
  Conventions result;
  const std::string sign = attributes.text("_Unsigned");
  if (!sign.empty()) type = is_true(sign) ? unsigned_of(type) : signed_of(type);
  const bool is_unsigned = is_integer(type) && signed_of(type) != type;
  result.scale = one_number(attributes, "scale_factor", 1, where);
  result.offset = one_number(attributes, "add_offset", 0, where);
  read_missing(attributes, type, is_unsigned, result);
  const bool netcdf = file.has_attribute("/", "_NCProperties");
  if (const auto fill = default_fill(type); netcdf && fill && !attributes.has("_FillValue"))
    result.missing.push_back({"default fill value of netCDF", *fill, false});
  if (result.packed())
    result.notes.push_back(fmt::format("{} * {} + {} (scale_factor, add_offset), as float32",
                                       to_string(type), result.scale, result.offset));
  for (const char* name : {"Slope", "slope", "Intercept", "intercept", "scale", "Scale", "offset",
                           "Offset", "ScaleFactor", "AddOffset"})
    if (attributes.has(name))
      result.notes.push_back(
          fmt::format("the attribute {} is not applied: the numbers are taken as "
                      "they are stored",
                      name));
  return result;
}

MissingValues find_missing(const Conventions& conventions, ElementType type,
                           std::span<const std::byte> values) {
  return with_element_type(type, [&]<class T>() {
    const MissingTest<T> is_missing(conventions);
    MissingValues found;
    for (std::size_t i = 0; i < values.size() / sizeof(T); ++i) {
      const T value = element_at<T>(values, i);
      const Mark* mark = is_missing(value);
      if (mark == nullptr) continue;
      if (found.count++ > 0) continue;
      found.first = static_cast<std::int64_t>(i);
      found.example = fmt::format("{} by the {} {}", +value, printable(mark->attribute),
                                  static_cast<double>(mark->value));
    }
    return found;
  });
}

void unpack(const Conventions& conventions, ElementType type, std::span<const std::byte> values,
            std::span<float> out) {
  with_element_type(type, [&]<class T>() {
    const MissingTest<T> is_missing(conventions);
    for (std::size_t i = 0; i < out.size(); ++i) {
      const T value = element_at<T>(values, i);
      out[i] = is_missing(value) != nullptr
                   ? std::numeric_limits<float>::quiet_NaN()
                   : static_cast<float>(static_cast<double>(value) * conventions.scale +
                                        conventions.offset);
    }
  });
}

}  // namespace lockstep
