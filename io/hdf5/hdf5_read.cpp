#include <cstring>

#include "io/hdf5/hdf5_detail.hpp"

namespace lockstep::hdf5 {
namespace {

using namespace detail;

/// Reads a selection in the dataset's own order of rows.
void read_selection(const OpenDataset& dataset, const std::string& where, hid_t memory_type,
                    hid_t memory, hid_t selection, void* out) {
  checked(H5Dread(dataset.id.id(), memory_type, memory, selection, H5P_DEFAULT, out), where,
          "damaged or unreadable");
}

void check_is_number(const OpenDataset& dataset, const std::string& where) {
  check(dataset.info.type.has_value(), ExitCode::kBadData, "[{}] expected numbers, got type {}",
        where, dataset.info.stored_type);
}

}  // namespace

hid_t detail::native_type(ElementType type) {
  using enum ElementType;
  switch (type) {
    case kInt8:
      return H5T_NATIVE_INT8;
    case kUint8:
      return H5T_NATIVE_UINT8;
    case kInt16:
      return H5T_NATIVE_INT16;
    case kUint16:
      return H5T_NATIVE_UINT16;
    case kInt32:
      return H5T_NATIVE_INT32;
    case kUint32:
      return H5T_NATIVE_UINT32;
    case kInt64:
      return H5T_NATIVE_INT64;
    case kUint64:
      return H5T_NATIVE_UINT64;
    case kFloat32:
      return H5T_NATIVE_FLOAT;
    case kFloat64:
      break;
  }
  return H5T_NATIVE_DOUBLE;
}

namespace {

void check_part(const DatasetInfo& info, Axis axis, std::int64_t first, std::int64_t count,
                const std::string& where) {
  check(!info.extents.empty(), ExitCode::kBadData, "[{}] expected rows, got a scalar", where);
  const std::int64_t extent = axis == Axis::kFirst ? info.extents.front() : info.extents.back();
  check(first >= 0 && count >= 0 && first <= extent && count <= extent - first, ExitCode::kBadData,
        "[{}] expected rows within {}, got {} from {}", where, extent, count, first);
}

void check_room(const DatasetInfo& info, Axis axis, std::int64_t count, std::size_t element_bytes,
                std::size_t room, const std::string& where) {
  Shape selected = info.extents;
  (axis == Axis::kFirst ? selected.front() : selected.back()) = count;
  const std::int64_t bytes = *product(selected, static_cast<std::int64_t>(element_bytes));
  check(static_cast<std::int64_t>(room) == bytes, ExitCode::kBadData,
        "[{}] expected room for {} bytes, got {}", where, bytes, room);
}

/// The number or array at the end of a field's path.
Handle leaf_type(hid_t stored, ElementType type, const Shape& extents, const std::string& where) {
  Handle element(checked(H5Tget_class(stored) == H5T_ARRAY ? H5Tget_super(stored) : H5Tcopy(stored),
                         where, "cannot read the type"));
  const hid_t native = memory_type(element.id(), type);
  if (extents.empty()) return Handle(checked(H5Tcopy(native), where, "cannot read the type"));
  const std::vector<hsize_t> dims(extents.begin(), extents.end());
  return Handle(checked(H5Tarray_create2(native, static_cast<unsigned>(dims.size()), dims.data()),
                        where, "cannot read the type"));
}

/// The member whose name begins `path`, up to a dot or the end.
int member_of(hid_t stored, std::string_view path, std::string& name) {
  const int members = H5Tget_nmembers(stored);
  for (int i = 0; i < members; ++i) {
    char* text = H5Tget_member_name(stored, static_cast<unsigned>(i));
    name = text == nullptr ? "" : text;
    if (text != nullptr) H5free_memory(text);
    if (path == name || (path.starts_with(name) && path.substr(name.size()).starts_with('.')))
      return i;
  }
  return -1;
}

/// The field alone, in compounds of one member as deep as its path.
Handle field_type(hid_t stored, std::string_view path, ElementType type, const Shape& extents,
                  const std::string& where) {
  if (path.empty()) return leaf_type(stored, type, extents, where);
  std::string name;
  const int member = member_of(stored, path, name);
  check(member >= 0, ExitCode::kBadData, "[{}] expected a field {}, got none of that name", where,
        printable(path));
  const Handle inner_stored(checked(H5Tget_member_type(stored, static_cast<unsigned>(member)),
                                    where, "cannot read the type"));
  std::string_view rest = path.substr(name.size());
  if (!rest.empty()) rest.remove_prefix(1);
  const Handle inner = field_type(inner_stored.id(), rest, type, extents, where);
  Handle outer(
      checked(H5Tcreate(H5T_COMPOUND, H5Tget_size(inner.id())), where, "cannot read the type"));
  checked(H5Tinsert(outer.id(), name.c_str(), 0, inner.id()), where, "cannot read the type");
  return outer;
}

/// All fields in one compound without gaps; none if some are fields of fields.
Handle record_type(hid_t stored, const std::vector<Field>& fields, std::size_t bytes,
                   const std::string& where) {
  Handle record(checked(H5Tcreate(H5T_COMPOUND, bytes), where, "cannot read the type"));
  std::size_t offset = 0;
  for (const Field& field : fields) {
    std::string name;
    const int member = member_of(stored, field.name, name);
    if (member < 0 || name != field.name) return Handle();
    const Handle inner(checked(H5Tget_member_type(stored, static_cast<unsigned>(member)), where,
                               "cannot read the type"));
    const Handle leaf = leaf_type(inner.id(), *field.type, field.extents, where);
    if (H5Tinsert(record.id(), name.c_str(), offset, leaf.id()) < 0) return Handle();
    offset += field.bytes();
  }
  return record;
}

}  // namespace

Handle detail::select_along(const OpenDataset& dataset, Axis axis, std::int64_t first,
                            std::int64_t count, const std::string& where) {
  std::vector<hsize_t> extents(dataset.info.extents.begin(), dataset.info.extents.end());
  std::vector<hsize_t> start(extents.size(), 0);
  const std::size_t along = axis == Axis::kFirst ? 0 : extents.size() - 1;
  start[along] = static_cast<hsize_t>(first);
  extents[along] = static_cast<hsize_t>(count);
  Handle selection(checked(H5Dget_space(dataset.id.id()), where, "cannot select rows"));
  checked(H5Sselect_hyperslab(selection.id(), H5S_SELECT_SET, start.data(), nullptr, extents.data(),
                              nullptr),
          where, "cannot select rows");
  return selection;
}

namespace {

void read_along(const File& file, bool trust, const std::string& path, ElementType type, Axis axis,
                std::int64_t first, std::int64_t count, std::span<std::byte> out) {
  const Quiet quiet(trust);
  const std::string where = label(file.name(), path);
  const OpenDataset dataset = open_dataset(file, file.id(), path, trust, Measure::kNothingChunked);
  const DatasetInfo& info = dataset.info;
  check_is_number(dataset, where);
  check(type == *info.type, ExitCode::kBadData, "[{}] expected {}, got {}", where, to_string(type),
        to_string(*info.type));
  check_part(info, axis, first, count, where);
  check_room(info, axis, count, element_size(type), out.size(), where);
  if (out.empty()) return;
  std::vector<hsize_t> extents(info.extents.begin(), info.extents.end());
  (axis == Axis::kFirst ? extents.front() : extents.back()) = static_cast<hsize_t>(count);
  const Handle memory(
      checked(H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr), where,
              "cannot select rows"));
  const Handle selection = select_along(dataset, axis, first, count, where);
  const Handle stored(checked(H5Dget_type(dataset.id.id()), where, "cannot read the type"));
  read_selection(dataset, where, memory_type(stored.id(), type), memory.id(), selection.id(),
                 out.data());
}

}  // namespace

void File::read_rows(const std::string& path, ElementType type, std::int64_t first,
                     std::int64_t count, std::span<std::byte> out) const {
  read_along(*this, trust_, path, type, Axis::kFirst, first, count, out);
}

void File::read_along_last(const std::string& path, ElementType type, std::int64_t first,
                           std::int64_t count, std::span<std::byte> out) const {
  read_along(*this, trust_, path, type, Axis::kLast, first, count, out);
}

void File::read_fields(const std::string& path, const std::vector<Field>& fields,
                       std::int64_t first, std::int64_t count, std::span<std::byte> out) const {
  const Quiet quiet(trust_);
  const std::string where = label(name_, path);
  const OpenDataset dataset =
      open_dataset(*this, file_.id(), path, trust_, Measure::kNothingChunked);
  check_part(dataset.info, Axis::kFirst, first, count, where);
  std::size_t record = 0;
  for (const Field& field : fields) record += field.bytes();
  check_room(dataset.info, Axis::kFirst, count, record, out.size(), where);
  if (out.empty()) return;

  const Handle stored(checked(H5Dget_type(dataset.id.id()), where, "cannot read the type"));
  const std::size_t records = out.size() / record;
  const hsize_t rows = records;
  const Handle memory(checked(H5Screate_simple(1, &rows, nullptr), where, "cannot select rows"));
  const Handle selection = select_along(dataset, Axis::kFirst, first, count, where);
  if (const Handle type = record_type(stored.id(), fields, record, where); type.id() >= 0) {
    read_selection(dataset, where, type.id(), memory.id(), selection.id(), out.data());
    return;
  }
  std::vector<std::byte> values;
  std::size_t offset = 0;
  for (const Field& field : fields) {
    const Handle type = field_type(stored.id(), field.name, *field.type, field.extents, where);
    const std::size_t bytes = field.bytes();
    values.resize(records * bytes);
    read_selection(dataset, where, type.id(), memory.id(), selection.id(), values.data());
    for (std::size_t i = 0; i < records; ++i)
      std::memcpy(out.data() + i * record + offset, values.data() + i * bytes, bytes);
    offset += bytes;
  }
}

std::vector<float> File::read_floats(const std::string& path, const Shape& extents) const {
  const Quiet quiet(trust_);
  const std::string where = label(name_, path);
  const OpenDataset dataset = open_dataset(*this, file_.id(), path, trust_, Measure::kStorage);
  check_is_number(dataset, where);
  check(dataset.info.extents == extents, ExitCode::kBadData, "[{}] expected shape {}, got {}",
        where, to_string(extents), to_string(dataset.info.extents));
  check_storage_size(dataset, where);
  std::vector<float> values(static_cast<std::size_t>(element_count(extents)));
  read_selection(dataset, where, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, values.data());
  return values;
}

std::int64_t File::read_integer(const std::string& path) const {
  const Quiet quiet(trust_);
  const std::string where = label(name_, path);
  const OpenDataset dataset =
      open_dataset(*this, file_.id(), path, trust_, Measure::kNothingChunked);
  check_is_number(dataset, where);
  check(is_integer(*dataset.info.type) && element_count(dataset.info.extents) == 1,
        ExitCode::kBadData, "[{}] expected one integer, got {} of {}", where,
        to_string(dataset.info.extents), dataset.info.stored_type);
  std::int64_t value = 0;
  read_selection(dataset, where, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, &value);
  return value;
}

}  // namespace lockstep::hdf5
