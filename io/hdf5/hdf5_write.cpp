#include <algorithm>

#include "io/hdf5/hdf5_detail.hpp"

namespace lockstep::hdf5 {
namespace {

using namespace detail;

/// Keras's limit: an object header holds no attribute over 64 KiB.
constexpr std::size_t kMaxListBytes = 64512;
constexpr std::int64_t kChunkBytes = std::int64_t{1} << 20;
constexpr std::int64_t kMaxChunkBytes = std::int64_t{1} << 30;

constexpr ExitCode kDisk = ExitCode::kInputOutput;

/// On disk always little-endian.
hid_t file_type(ElementType type) {
  using enum ElementType;
  switch (type) {
    case kInt8:
      return H5T_STD_I8LE;
    case kUint8:
      return H5T_STD_U8LE;
    case kInt16:
      return H5T_STD_I16LE;
    case kUint16:
      return H5T_STD_U16LE;
    case kInt32:
      return H5T_STD_I32LE;
    case kUint32:
      return H5T_STD_U32LE;
    case kInt64:
      return H5T_STD_I64LE;
    case kUint64:
      return H5T_STD_U64LE;
    case kFloat32:
      return H5T_IEEE_F32LE;
    case kFloat64:
      break;
  }
  return H5T_IEEE_F64LE;
}

std::vector<hsize_t> to_extents(const Shape& shape) {
  return {shape.begin(), shape.end()};
}

Handle make_space(const Shape& shape, const std::string& where) {
  if (shape.empty()) return Handle(checked(H5Screate(H5S_SCALAR), where, "cannot create", kDisk));
  const std::vector<hsize_t> extents = to_extents(shape);
  return Handle(checked(H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr),
                        where, "cannot create", kDisk));
}

/// A property list for an object without timestamps: the same content gives the same bytes.
Handle without_times(hid_t kind, const std::string& where) {
  Handle list(checked(H5Pcreate(kind), where, "cannot make a property list", kDisk));
  checked(H5Pset_obj_track_times(list.id(), false), where, "cannot leave out times", kDisk);
  return list;
}

/// Rows per chunk such that a chunk has about a mebibyte.
std::int64_t default_chunk_rows(std::int64_t row_bytes) {
  return std::max<std::int64_t>(1, kChunkBytes / std::max<std::int64_t>(1, row_bytes));
}

void set_chunks(hid_t creation, const Shape& extents, std::int64_t row_bytes,
                std::int64_t chunk_rows, const std::string& where) {
  check(row_bytes <= kMaxChunkBytes, kDisk, "[{}] expected rows of at most {} bytes, got {}", where,
        kMaxChunkBytes, row_bytes);
  const std::int64_t most = kMaxChunkBytes / std::max<std::int64_t>(1, row_bytes);
  std::vector<hsize_t> chunk = to_extents(extents);
  for (hsize_t& extent : chunk) extent = std::max<hsize_t>(1, extent);
  chunk[0] = std::min<hsize_t>(chunk[0], static_cast<hsize_t>(std::min(chunk_rows, most)));
  checked(H5Pset_chunk(creation, static_cast<int>(chunk.size()), chunk.data()), where,
          "cannot set the chunks", kDisk);
}

Handle open_to_write(hid_t file, const std::string& path, const std::string& where) {
  return Handle(checked(H5Oopen(file, path.c_str(), H5P_DEFAULT), where, "cannot open", kDisk));
}

void write_attribute(hid_t object, const std::string& name, hid_t type, hid_t space,
                     const void* value, const std::string& where) {
  const Handle attribute(
      checked(H5Acreate2(object, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), where,
              "cannot create the attribute " + name, kDisk));
  if (value == nullptr) return;
  checked(H5Awrite(attribute.id(), type, value), where, "cannot write the attribute " + name,
          kDisk);
}

/// Strings of `length` bytes, padded with zeros: numpy's S<length>.
Handle list_type(std::size_t length, const std::string& where) {
  Handle type(checked(H5Tcopy(H5T_C_S1), where, "cannot make a type", kDisk));
  checked(H5Tset_size(type.id(), length), where, "cannot make a type", kDisk);
  checked(H5Tset_strpad(type.id(), H5T_STR_NULLPAD), where, "cannot make a type", kDisk);
  return type;
}

std::string padded(std::span<const std::string> values, std::size_t length) {
  std::string bytes;
  for (const std::string& value : values) {
    bytes += value;
    bytes.append(length - value.size(), '\0');
  }
  return bytes;
}

std::size_t longest(std::span<const std::string> values) {
  std::size_t length = 1;
  for (const std::string& value : values) length = std::max(length, value.size());
  return length;
}

void write_list(hid_t object, const std::string& name, std::span<const std::string> values,
                std::size_t length, const std::string& where) {
  const Handle type = list_type(length, where);
  const std::string bytes = padded(values, length);
  const Handle space = make_space({static_cast<std::int64_t>(values.size())}, where);
  write_attribute(object, name, type.id(), space.id(), bytes.data(), where);
}

}  // namespace

Writer::Writer(Handle handle, std::string name)
    : file_(std::move(handle)), name_(std::move(name)) {}

Writer Writer::create(const std::filesystem::path& path) {
  const Quiet quiet;
  const std::string where = path.string();
  const Handle access = access_without_lock();
  const Handle creation = without_times(H5P_FILE_CREATE, where);
  Handle file(checked(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation.id(), access.id()), where,
                      "cannot create", ExitCode::kCannotCreate));
  return Writer(std::move(file), where);
}

Writer Writer::in_memory() {
  const Quiet quiet;
  const std::string where = "memory";
  const Handle access(
      checked(H5Pcreate(H5P_FILE_ACCESS), where, "cannot make a property list", kDisk));
  checked(H5Pset_fapl_core(access.id(), static_cast<std::size_t>(kChunkBytes), false), where,
          "cannot write in memory", kDisk);
  const Handle creation = without_times(H5P_FILE_CREATE, where);
  Handle file(checked(H5Fcreate(image_name().c_str(), H5F_ACC_TRUNC, creation.id(), access.id()),
                      where, "cannot create", ExitCode::kCannotCreate));
  return Writer(std::move(file), where);
}

void Writer::create_group(const std::string& path) {
  const Quiet quiet;
  const std::string where = label(name_, path);
  const Handle creation = without_times(H5P_GROUP_CREATE, where);
  for (const std::string& prefix : prefixes(path)) {
    if (checked(H5Lexists(file_.id(), prefix.c_str(), H5P_DEFAULT), where, "cannot create", kDisk) >
        0) {
      continue;
    }
    const Handle group(
        checked(H5Gcreate2(file_.id(), prefix.c_str(), H5P_DEFAULT, creation.id(), H5P_DEFAULT),
                where, "cannot create the group", kDisk));
  }
}

void Writer::create_dataset(const std::string& path, ElementType type, const Shape& extents,
                            std::int64_t chunk_rows, int deflate) {
  const Quiet quiet;
  const std::string where = label(name_, path);
  const std::vector<std::string> all = prefixes(path);
  check(!all.empty(), kDisk, "[{}] expected the name of a dataset", where);
  if (all.size() > 1) create_group(all[all.size() - 2]);
  const Handle creation = without_times(H5P_DATASET_CREATE, where);
  if ((chunk_rows > 0 || deflate > 0) && !extents.empty()) {
    const std::int64_t row_bytes = element_count({extents.begin() + 1, extents.end()}) *
                                   static_cast<std::int64_t>(element_size(type));
    set_chunks(creation.id(), extents, row_bytes,
               chunk_rows > 0 ? chunk_rows : default_chunk_rows(row_bytes), where);
    if (deflate > 0) {
      checked(H5Pset_deflate(creation.id(), static_cast<unsigned>(deflate)), where,
              "cannot compress", kDisk);
    }
  }
  const Handle space = make_space(extents, where);
  const Handle dataset(checked(H5Dcreate2(file_.id(), all.back().c_str(), file_type(type),
                                          space.id(), H5P_DEFAULT, creation.id(), H5P_DEFAULT),
                               where, "cannot create the dataset", kDisk));
}

void Writer::write_rows(const std::string& path, ElementType type, std::int64_t first,
                        std::int64_t count, std::span<const std::byte> rows) {
  const Quiet quiet;
  const std::string where = label(name_, path);
  const Handle dataset = open_to_write(file_.id(), path, where);
  const Handle selection(checked(H5Dget_space(dataset.id()), where, "cannot write", kDisk));
  const int axes =
      checked(H5Sget_simple_extent_ndims(selection.id()), where, "cannot write", kDisk);
  check(axes > 0, kDisk, "[{}] expected rows to write to, got a scalar", where);
  std::vector<hsize_t> extents(static_cast<std::size_t>(axes));
  checked(H5Sget_simple_extent_dims(selection.id(), extents.data(), nullptr), where, "cannot write",
          kDisk);
  extents[0] = static_cast<hsize_t>(count);
  const std::int64_t bytes = element_count(Shape(extents.begin(), extents.end())) *
                             static_cast<std::int64_t>(element_size(type));
  check(static_cast<std::int64_t>(rows.size()) == bytes, kDisk,
        "[{}] expected {} bytes for {} rows, got {}", where, bytes, count, rows.size());
  if (bytes == 0) return;
  std::vector<hsize_t> start(extents.size(), 0);
  start[0] = static_cast<hsize_t>(first);
  const Handle memory = make_space(Shape(extents.begin(), extents.end()), where);
  checked(H5Sselect_hyperslab(selection.id(), H5S_SELECT_SET, start.data(), nullptr, extents.data(),
                              nullptr),
          where, "cannot write", kDisk);
  checked(H5Dwrite(dataset.id(), native_type(type), memory.id(), selection.id(), H5P_DEFAULT,
                   rows.data()),
          where, "cannot write", kDisk);
}

void Writer::write_floats(const std::string& path, const Shape& extents,
                          std::span<const float> values) {
  const Quiet quiet;
  const std::string where = label(name_, path);
  check(static_cast<std::int64_t>(values.size()) == element_count(extents), kDisk,
        "[{}] expected {} numbers for {}, got {}", where, element_count(extents),
        to_string(extents), values.size());
  create_dataset(path, ElementType::kFloat32, extents);
  const Handle dataset = open_to_write(file_.id(), path, where);
  checked(H5Dwrite(dataset.id(), H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()),
          where, "cannot write", kDisk);
}

void Writer::write_integer(const std::string& path, std::int64_t value) {
  const Quiet quiet;
  const std::string where = label(name_, path);
  create_dataset(path, ElementType::kInt64, {});
  const Handle dataset = open_to_write(file_.id(), path, where);
  checked(H5Dwrite(dataset.id(), H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, &value), where,
          "cannot write", kDisk);
}

void Writer::write_string_dataset(const std::string& path, std::span<const std::string> values) {
  const Quiet quiet;
  const std::string where = label(name_, path);
  const std::size_t length = longest(values);
  const Handle type = list_type(length, where);
  checked(H5Tset_cset(type.id(), H5T_CSET_UTF8), where, "cannot make a type", kDisk);
  const Handle space = make_space({static_cast<std::int64_t>(values.size())}, where);
  const Handle creation = without_times(H5P_DATASET_CREATE, where);
  const Handle dataset(checked(H5Dcreate2(file_.id(), path.c_str(), type.id(), space.id(),
                                          H5P_DEFAULT, creation.id(), H5P_DEFAULT),
                               where, "cannot create the dataset", kDisk));
  const std::string bytes = padded(values, length);
  checked(H5Dwrite(dataset.id(), type.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()), where,
          "cannot write", kDisk);
}

void Writer::write_string(const std::string& path, const std::string& name,
                          const std::string& value) {
  const Quiet quiet;
  const std::string where = label(name_, path);
  const Handle object = open_to_write(file_.id(), path, where);
  const Handle type(checked(H5Tcopy(H5T_C_S1), where, "cannot make a type", kDisk));
  checked(H5Tset_size(type.id(), H5T_VARIABLE), where, "cannot make a type", kDisk);
  checked(H5Tset_cset(type.id(), H5T_CSET_UTF8), where, "cannot make a type", kDisk);
  const Handle space = make_space({}, where);
  const char* text = value.c_str();
  write_attribute(object.id(), name, type.id(), space.id(), &text, where);
}

void Writer::write_strings(const std::string& path, const std::string& name,
                           const std::vector<std::string>& values) {
  const Quiet quiet;
  const std::string where = label(name_, path);
  const Handle object = open_to_write(file_.id(), path, where);
  if (values.empty()) {  // as numpy has it: float64 of shape (0,)
    const Handle space = make_space({0}, where);
    return write_attribute(object.id(), name, H5T_IEEE_F64LE, space.id(), nullptr, where);
  }
  const std::size_t length = longest(values);
  check(length <= kMaxListBytes, kDisk, "[{}] expected names of at most {} bytes in {}, got {}",
        where, kMaxListBytes, name, length);
  const std::size_t n = values.size();
  std::size_t parts = 1;
  while ((n + parts - 1) / parts * length > kMaxListBytes) ++parts;
  if (parts == 1) return write_list(object.id(), name, values, length, where);
  std::size_t first = 0;
  for (std::size_t part = 0; part < parts; ++part) {
    const std::size_t count = n / parts + (part < n % parts ? 1 : 0);
    write_list(object.id(), fmt::format("{}{}", name, part),
               std::span(values).subspan(first, count), length, where);
    first += count;
  }
}

std::vector<std::byte> Writer::take_image() {
  const Quiet quiet;
  checked(H5Fflush(file_.id(), H5F_SCOPE_GLOBAL), name_, "cannot finish", kDisk);
  const ssize_t size =
      checked(H5Fget_file_image(file_.id(), nullptr, 0), name_, "cannot finish", kDisk);
  std::vector<std::byte> image(static_cast<std::size_t>(size));
  checked(H5Fget_file_image(file_.id(), image.data(), image.size()), name_, "cannot finish", kDisk);
  file_ = Handle();
  return image;
}

void Writer::close() {
  const Quiet quiet;
  Handle file = std::move(file_);
  const std::string reason = flush_or_divert(file.id(), true);
  file = Handle();
  check(reason.empty(), kDisk, "[{}] cannot write: {}", name_, reason);
}

}  // namespace lockstep::hdf5
