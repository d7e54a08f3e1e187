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

void File::read_rows(const std::string& path, ElementType type, std::int64_t first,
                     std::int64_t count, std::span<std::byte> out) const {
  const Quiet quiet;
  const std::string where = label(name_, path);
  const OpenDataset dataset =
      open_dataset(*this, file_.id(), path, trust_, Measure::kNothingChunked);
  const DatasetInfo& info = dataset.info;
  check_is_number(dataset, where);
  check(type == *info.type, ExitCode::kBadData, "[{}] expected {}, got {}", where, to_string(type),
        to_string(*info.type));
  check(!info.extents.empty(), ExitCode::kBadData, "[{}] expected rows, got a scalar", where);
  check(first >= 0 && count >= 0 && first <= info.extents[0] && count <= info.extents[0] - first,
        ExitCode::kBadData, "[{}] expected rows within {}, got {} from {}", where, info.extents[0],
        count, first);
  Shape selected = info.extents;
  selected[0] = count;
  const std::int64_t bytes = *product(selected, static_cast<std::int64_t>(element_size(type)));
  check(static_cast<std::int64_t>(out.size()) == bytes, ExitCode::kBadData,
        "[{}] expected room for {} bytes, got {}", where, bytes, out.size());
  if (bytes == 0) return;

  const std::vector<hsize_t> extents(selected.begin(), selected.end());
  std::vector<hsize_t> start(extents.size(), 0);
  start[0] = static_cast<hsize_t>(first);
  const int axes = static_cast<int>(extents.size());
  const Handle memory(
      checked(H5Screate_simple(axes, extents.data(), nullptr), where, "cannot select rows"));
  const Handle selection(checked(H5Dget_space(dataset.id.id()), where, "cannot select rows"));
  checked(H5Sselect_hyperslab(selection.id(), H5S_SELECT_SET, start.data(), nullptr, extents.data(),
                              nullptr),
          where, "cannot select rows");
  read_selection(dataset, where, native_type(type), memory.id(), selection.id(), out.data());
}

std::vector<float> File::read_floats(const std::string& path, const Shape& extents) const {
  const Quiet quiet;
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
  const Quiet quiet;
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
