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
/// Virtual datasets may be made of virtual datasets; a hostile one of itself.
constexpr int kMaxVirtualDepth = 4;

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

void check_no_external_storage(hid_t creation, const std::string& where) {
  const int files = checked(H5Pget_external_count(creation), where, "cannot read the storage");
  if (files == 0) return;
  std::vector<char> name(1024, '\0');
  checked(H5Pget_external(creation, 0, name.size() - 1, name.data(), nullptr, nullptr), where,
          "cannot read the storage");
  fail(ExitCode::kBadData,
       "[{}] expected data inside the file, got external storage in {} (for a dataset, "
       "--trust-data allows it)",
       where, printable(name.data()));
}

std::vector<std::string> read_filters(hid_t creation, const std::string& where) {
  const int count = checked(H5Pget_nfilters(creation), where, "cannot read the filters");
  std::vector<std::string> filters;
  for (int i = 0; i < count; ++i) {
    unsigned flags = 0;
    std::size_t parameters = 0;
    std::vector<char> name(128, '\0');
    const H5Z_filter_t filter =
        checked(H5Pget_filter2(creation, static_cast<unsigned>(i), &flags, &parameters, nullptr,
                               name.size() - 1, name.data(), nullptr),
                where, "cannot read the filters");
    switch (filter) {
      case H5Z_FILTER_DEFLATE:
        filters.emplace_back("deflate");
        break;
      case H5Z_FILTER_SHUFFLE:
        filters.emplace_back("shuffle");
        break;
      case H5Z_FILTER_FLETCHER32:
        filters.emplace_back("fletcher32");
        break;
      case H5Z_FILTER_SZIP:
        filters.emplace_back("szip");
        break;
      case H5Z_FILTER_NBIT:
        filters.emplace_back("nbit");
        break;
      case H5Z_FILTER_SCALEOFFSET:
        filters.emplace_back("scaleoffset");
        break;
      default:
        filters.push_back(fmt::format("{} '{}'", filter, printable(name.data())));
        break;
    }
    check(H5Zfilter_avail(filter) > 0, ExitCode::kBadData,
          "[{}] expected filters of HDF5 itself, got filter {}, which this HDF5 lacks (plugins are "
          "never loaded)",
          where, filters.back());
  }
  return filters;
}

/// Every source must lie in this file and pass the same checks. Returns the bytes that are stored.
std::int64_t check_sources(const File& file, hid_t id, hid_t creation, const std::string& where,
                           int depth) {
  check(depth < kMaxVirtualDepth, ExitCode::kBadData,
        "[{}] expected at most {} levels of virtual datasets, got more", where, kMaxVirtualDepth);
  std::size_t count = 0;
  checked(H5Pget_virtual_count(creation, &count), where, "cannot read the virtual layout");
  std::vector<std::string> sources;
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<char> source_file(1024, '\0');
    std::vector<char> source(4096, '\0');
    checked(H5Pget_virtual_filename(creation, i, source_file.data(), source_file.size()), where,
            "cannot read the virtual layout");
    checked(H5Pget_virtual_dsetname(creation, i, source.data(), source.size()), where,
            "cannot read the virtual layout");
    check(std::string_view(source_file.data()) == ".", ExitCode::kBadData,
          "[{}] expected data inside the file, got a virtual dataset that reaches {} (for a "
          "dataset, --trust-data allows it)",
          where, printable(source_file.data()));
    sources.emplace_back(source.data());
  }
  std::sort(sources.begin(), sources.end());
  sources.erase(std::unique(sources.begin(), sources.end()), sources.end());
  std::int64_t bytes = 0;
  for (const std::string& source : sources) {
    // HDF5 reads a source that is not there as fill values: garbage, to us.
    const OpenDataset dataset = open_dataset(file, id, source, false, Measure::kStorage, depth + 1);
    check_storage_size(dataset, label(file.name(), source));
    bytes += dataset.info.bytes_stored;
  }
  return bytes;
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
std::int64_t stored_bytes(hid_t file, const OpenDataset& dataset, H5D_layout_t layout,
                          std::size_t element_size, const std::string& where) {
  H5Eclear2(H5E_DEFAULT);  // 0 is "nothing stored" as well as "failed": the error stack tells
  const hsize_t stored = H5Dget_storage_size(dataset.id.id());
  if (stored == 0 && H5Eget_num(H5E_DEFAULT) > 0) fail_call(where, "cannot measure the storage");
  hsize_t file_bytes = 0;
  checked(H5Fget_filesize(file, &file_bytes), where, "cannot measure the file");
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
  if (!trust) check_no_external_storage(creation.id(), where);
  // Before the extents are asked for, because that may open the sources.
  if (is_virtual && !trust) {
    dataset.info.bytes_stored = check_sources(file, id, creation.id(), where, depth);
  }
  dataset.elsewhere = trust && (is_virtual || H5Pget_external_count(creation.id()) > 0);
  dataset.info.filters = read_filters(creation.id(), where);

  const Handle type(checked(H5Dget_type(dataset.id.id()), where, "cannot read the type"));
  const NumberType number = number_type(type.id(), where);
  dataset.info.type = number.native;
  dataset.info.stored_type = number.name;
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
  if (layout == H5D_CHUNKED) check_chunks(creation.id(), where, stored_size, dataset);
  const bool measured = layout != H5D_CHUNKED || measure == Measure::kStorage;
  if (!is_virtual && !dataset.elsewhere && measured) {
    dataset.info.bytes_stored = stored_bytes(id, dataset, layout, stored_size, where);
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
  const Quiet quiet;
  OpenDataset dataset = open_dataset(*this, file_.id(), path, trust_, Measure::kStorage);
  check_storage_size(dataset, label(name_, path));
  return dataset.info;
}

}  // namespace lockstep::hdf5
