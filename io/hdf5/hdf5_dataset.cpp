#include <algorithm>

#include "io/hdf5/hdf5_detail.hpp"

// What HDF5 1.10 opens without complaint can still crash it when it is read, or make it allocate
// what the file merely claims: everything is compared with everything before a byte is read.
namespace lockstep::hdf5 {
namespace {

using namespace detail;

constexpr std::int64_t kMebibyte = std::int64_t{1} << 20;
constexpr std::int64_t kMaxChunkBytes = 2048 * kMebibyte;
/// A dataset up to this size may be read whatever is stored of it (fill values).
constexpr std::int64_t kModestBytes = 64 * kMebibyte;
/// Deflate, the densest of the usual filters, reaches 1032.
constexpr std::int64_t kMaxExpansion = 2000;
/// Beyond so many chunks the first one that was never written is not looked for.
constexpr std::int64_t kMaxChunksLookedAt = 1'000'000;

Shape to_shape(const std::vector<hsize_t>& extents) {
  // What does not fit becomes negative, which product() refuses.
  return Shape(extents.begin(), extents.end());
}

Shape read_extents(hid_t dataset, const std::string& where) {
  const Handle space(checked(H5Dget_space(dataset), where, "cannot read the extents"));
  const H5S_class_t kind = H5Sget_simple_extent_type(space.id());
  check(kind == H5S_SCALAR || kind == H5S_SIMPLE, ExitCode::kBadData,
        "[{}] expected an array, got a null dataspace (no data)", where);
  const int axes =
      checked(H5Sget_simple_extent_ndims(space.id()), where, "cannot read the extents");
  std::vector<hsize_t> extents(static_cast<std::size_t>(axes));
  checked(H5Sget_simple_extent_dims(space.id(), extents.data(), nullptr), where,
          "cannot read the extents");
  return to_shape(extents);
}

void check_chunks(hid_t creation, const std::string& where, std::size_t element_size,
                  OpenDataset& dataset) {
  std::vector<hsize_t> chunk(H5S_MAX_RANK + 1, 0);
  const int axes =
      checked(H5Pget_chunk(creation, H5S_MAX_RANK, chunk.data()), where, "cannot read the chunks");
  check(static_cast<std::size_t>(axes) == dataset.info.extents.size(), ExitCode::kBadData,
        "[{}] expected chunks of {} axes as the dataset has, got {} axes", where,
        dataset.info.extents.size(), axes);
  chunk.resize(static_cast<std::size_t>(axes));
  dataset.info.chunk = to_shape(chunk);
  const std::optional<std::int64_t> bytes =
      product(dataset.info.chunk, static_cast<std::int64_t>(element_size));
  check(bytes.has_value() && *bytes > 0 && *bytes <= kMaxChunkBytes, ExitCode::kBadData,
        "[{}] expected chunks of at most 2 GiB, got chunks {} of {}", where,
        to_string(dataset.info.chunk), dataset.info.stored_type);
  dataset.chunk_bytes = *bytes;
}

/// Bytes on disk, which must lie in the file, and all of them where nothing is left out or
/// filtered. Walks the index of chunks.
std::int64_t stored_bytes(const OpenDataset& dataset, H5D_layout_t layout, std::size_t element_size,
                          const std::string& where) {
  H5Eclear2(H5E_DEFAULT);  // 0 is "nothing stored" as well as "failed": the error stack tells
  const hsize_t stored = H5Dget_storage_size(dataset.id.id());
  if (stored == 0 && H5Eget_num(H5E_DEFAULT) > 0) fail_call(where, "cannot measure the storage");
  // A link may have led to another file.
  const Handle file(checked(H5Iget_file_id(dataset.id.id()), where, "cannot measure the file"));
  hsize_t file_bytes = 0;
  checked(H5Fget_filesize(file.id(), &file_bytes), where, "cannot measure the file");
  check(stored <= file_bytes, ExitCode::kBadData,
        "[{}] expected storage within the file of {} bytes, got {} bytes", where, file_bytes,
        stored);
  const auto bytes = static_cast<std::int64_t>(stored);
  const std::int64_t whole =
      *product(dataset.info.extents, static_cast<std::int64_t>(element_size));
  check(layout == H5D_CHUNKED || bytes == 0 || bytes >= whole, ExitCode::kBadData,
        "[{}] expected {} bytes of {} stored, got {}", where, whole, dataset.info.stored_type,
        bytes);
  return bytes;
}

std::string fill_value(hid_t creation, const OpenDataset& dataset) {
  H5D_fill_value_t defined = H5D_FILL_VALUE_UNDEFINED;
  double value = 0;
  if (!dataset.info.type || H5Pfill_value_defined(creation, &defined) < 0 ||
      defined == H5D_FILL_VALUE_UNDEFINED ||
      H5Pget_fill_value(creation, H5T_NATIVE_DOUBLE, &value) < 0)
    return "the fill value";
  return fmt::format("the fill value {}", value);
}

/// The first row of a chunk that is not there; none if there are too many to look at.
std::optional<std::int64_t> first_unwritten_row(const OpenDataset& dataset, const Shape& counts,
                                                std::int64_t chunks) {
  if (chunks > kMaxChunksLookedAt) return std::nullopt;
  std::vector<hsize_t> at(counts.size(), 0);
  for (std::int64_t number = 0; number < chunks; ++number) {
    std::int64_t rest = number;
    for (std::size_t axis = counts.size(); axis-- > 0; rest /= counts[axis])
      at[axis] = static_cast<hsize_t>(rest % counts[axis] * dataset.info.chunk[axis]);
    haddr_t address = HADDR_UNDEF;
    hsize_t size = 0;
    unsigned mask = 0;
    if (H5Dget_chunk_info_by_coord(dataset.id.id(), at.data(), &mask, &address, &size) < 0)
      return std::nullopt;
    if (address == HADDR_UNDEF) return static_cast<std::int64_t>(at[0]);
  }
  return std::nullopt;
}

/// What of the dataset was never written, in words; empty: nothing.
std::string describe_unwritten(hid_t creation, H5D_layout_t layout, const OpenDataset& dataset,
                               const std::string& where) {
  if (dataset.bytes == 0 || (layout != H5D_CHUNKED && layout != H5D_CONTIGUOUS)) return "";
  const std::string reads =
      fmt::format("these would read as {}, as if it were data", fill_value(creation, dataset));
  if (layout == H5D_CONTIGUOUS) {
    H5D_space_status_t status = H5D_SPACE_STATUS_ERROR;
    checked(H5Dget_space_status(dataset.id.id(), &status), where, "cannot examine the storage");
    return status == H5D_SPACE_STATUS_NOT_ALLOCATED ? "none of its rows were ever written: " + reads
                                                    : "";
  }
  Shape counts;
  for (std::size_t axis = 0; axis < dataset.info.extents.size(); ++axis)
    counts.push_back((dataset.info.extents[axis] - 1) / dataset.info.chunk[axis] + 1);
  const std::int64_t chunks = product(counts, 1).value_or(-1);
  hsize_t written = 0;
  const Handle space(checked(H5Dget_space(dataset.id.id()), where, "cannot count the chunks"));
  checked(H5Dget_num_chunks(dataset.id.id(), space.id(), &written), where,
          "cannot count the chunks");
  if (chunks < 0 || static_cast<std::int64_t>(written) >= chunks) return "";
  const auto row = first_unwritten_row(dataset, counts, chunks);
  return fmt::format("{} of its {} chunks {} never written{}: {}",
                     chunks - static_cast<std::int64_t>(written), chunks,
                     chunks - static_cast<std::int64_t>(written) == 1 ? "was" : "were",
                     row ? fmt::format(" (the first holds row {})", *row) : "", reads);
}

}  // namespace

std::optional<std::int64_t> detail::product(const Shape& factors, std::int64_t start) {
  bool zero = false;
  for (const std::int64_t factor : factors) {
    if (factor < 0) return std::nullopt;
    if (factor == 0) zero = true;
  }
  if (zero) return 0;
  std::int64_t result = start;
  for (const std::int64_t factor : factors) {
    if (__builtin_mul_overflow(result, factor, &result)) return std::nullopt;
  }
  return result;
}

OpenDataset detail::open_dataset(const File& file, hid_t id, const std::string& path, bool trust,
                                 Measure measure, int depth) {
  const std::string where = label(file.name(), path);
  OpenDataset dataset;
  dataset.id = open_object(file, id, path, trust);
  if (H5Iget_type(dataset.id.id()) != H5I_DATASET) {
    fail(ExitCode::kBadData, "[{}] expected a dataset, got a group; datasets of the file: {}",
         where, list_datasets(file));
  }
  const Handle creation(
      checked(H5Dget_create_plist(dataset.id.id()), where, "cannot read the layout"));
  const H5D_layout_t layout =
      checked(H5Pget_layout(creation.id()), where, "cannot read the layout");
  const bool is_virtual = layout == H5D_VIRTUAL;
  const bool external = H5Pget_external_count(creation.id()) > 0;
  if (!trust && external) check_external_files(creation.id(), dataset.id.id(), false, 0, where);
  // Before the extents are asked for, because that may open the sources.
  if (is_virtual && !trust) check_virtual_names(creation.id(), where, depth);
  dataset.elsewhere = trust && (is_virtual || external);
  dataset.info.filters = read_filters(creation.id(), trust, where);

  const Handle type(checked(H5Dget_type(dataset.id.id()), where, "cannot read the type"));
  const NumberType number = number_type(type.id(), where);
  dataset.info.type = number.native;
  dataset.info.stored_type = number.name;
  dataset.info.text = number.text;
  dataset.info.fields = compound_fields(type.id(), where);
  if (is_virtual && (measure == Measure::kStorage || !trust))
    check_virtual_sources(file, id, creation.id(), trust, depth, dataset, where);
  dataset.info.extents = read_extents(dataset.id.id(), where);

  const std::size_t stored_size = H5Tget_size(type.id());
  const std::size_t size =
      std::max(stored_size, number.native ? element_size(*number.native) : stored_size);
  const std::optional<std::int64_t> bytes =
      product(dataset.info.extents, static_cast<std::int64_t>(size));
  check(bytes.has_value(), ExitCode::kBadData,
        "[{}] expected extents whose product fits 63 bits, got {} of {}", where,
        to_string(dataset.info.extents), number.name);
  dataset.bytes = *bytes;
  if (external && trust)
    check_external_files(creation.id(), dataset.id.id(), true,
                         product(dataset.info.extents, static_cast<std::int64_t>(stored_size))
                             .value_or(dataset.bytes),
                         where);
  if (layout == H5D_CHUNKED) check_chunks(creation.id(), where, stored_size, dataset);
  const bool measured = layout != H5D_CHUNKED || measure == Measure::kStorage;
  if (!is_virtual && !dataset.elsewhere && measured) {
    dataset.info.bytes_stored = stored_bytes(dataset, layout, stored_size, where);
    if (measure == Measure::kStorage)
      dataset.info.unwritten = describe_unwritten(creation.id(), layout, dataset, where);
  }
  return dataset;
}

void detail::check_storage_size(const OpenDataset& dataset, const std::string& where) {
  if (dataset.elsewhere) return;
  const std::int64_t needed = std::max(dataset.bytes, dataset.chunk_bytes);
  check(needed <= kModestBytes || needed / kMaxExpansion <= dataset.info.bytes_stored,
        ExitCode::kBadData,
        "[{}] expected about as many bytes stored as {} of {} needs ({} bytes), got {} stored",
        where, to_string(dataset.info.extents), dataset.info.stored_type, needed,
        dataset.info.bytes_stored);
}
DatasetInfo File::dataset_info(const std::string& path) const {
  const Quiet quiet(trust_);
  OpenDataset dataset = open_dataset(*this, file_.id(), path, trust_, Measure::kStorage);
  check_storage_size(dataset, label(name_, path));
  return dataset.info;
}

}  // namespace lockstep::hdf5
