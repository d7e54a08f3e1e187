#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "io/hdf5/hdf5_detail.hpp"

// HDF5 reads fill values, without a word, where a source of a virtual dataset or a file of external
// storage is missing, too short, or not mapped at all. Everything is looked for before it is read.
namespace lockstep::hdf5 {
namespace {

using namespace detail;
namespace fs = std::filesystem;

/// Virtual datasets may be made of virtual datasets; a hostile one of itself.
constexpr int kMaxVirtualDepth = 4;
constexpr hsize_t kMaxBlocks = 1'000'000;

using Extents = std::vector<hsize_t>;

/// A part of a virtual dataset and where it comes from.
struct Part {
  std::string file;  ///< ".": the virtual dataset's own
  std::string dataset;
  Handle mapped;       ///< which elements of the virtual dataset
  Extents needed;      ///< of the source, at least
  bool whole = false;  ///< the whole source, which must have as many elements
};

std::string text_of(ssize_t (*get)(hid_t, std::size_t, char*, std::size_t), hid_t creation,
                    std::size_t index, const std::string& where) {
  const ssize_t length =
      checked(get(creation, index, nullptr, 0), where, "cannot read the virtual layout");
  std::string text(static_cast<std::size_t>(length) + 1, '\0');
  checked(get(creation, index, text.data(), text.size()), where, "cannot read the virtual layout");
  text.pop_back();
  return text;
}

Extents extents_of(hid_t space, const std::string& where) {
  const int axes = checked(H5Sget_simple_extent_ndims(space), where, "cannot read the extents");
  Extents extents(static_cast<std::size_t>(axes));
  checked(H5Sget_simple_extent_dims(space, extents.data(), nullptr), where,
          "cannot read the extents");
  return extents;
}

hsize_t product_of(const Extents& extents) {
  return std::accumulate(extents.begin(), extents.end(), hsize_t{1}, std::multiplies<>());
}

Handle block_of(const Extents& extents, const Extents& start, const Extents& stride,
                const Extents& count, const Extents& block, const std::string& where) {
  Handle space(checked(H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr),
                       where, "cannot read the virtual layout"));
  checked(H5Sselect_hyperslab(space.id(), H5S_SELECT_SET, start.data(), stride.data(), count.data(),
                              block.data()),
          where, "cannot read the virtual layout");
  return space;
}

/// The selection within the extents that the dataset has, as a hyperslab.
Handle as_hyperslab(Handle mapped, const Extents& extents, const std::string& where) {
  if (H5Sget_select_type(mapped.id()) != H5S_SEL_ALL) return mapped;
  const Extents zeros(extents.size(), 0);
  const Extents ones(extents.size(), 1);
  return block_of(extents, zeros, ones, ones, extents, where);
}

std::string replace_number(std::string text, hsize_t number) {
  const std::size_t at = text.find("%b");
  return at == text.npos ? text : text.replace(at, 2, std::to_string(number));
}

/// A mapping without an end: of one growing source, or of numbered ones ("part-%b.h5"), as far as
/// the dataset reaches today.
void add_endless(const std::string& file, const std::string& dataset, hid_t mapped, hid_t source,
                 const Extents& extents, const std::string& where, std::vector<Part>& parts) {
  const std::size_t axes = extents.size();
  Extents start(axes), stride(axes), count(axes), block(axes);
  check(H5Sget_regular_hyperslab(mapped, start.data(), stride.data(), count.data(), block.data()) >=
            0,
        ExitCode::kBadData, "[{}] expected regular mappings of the virtual dataset, got another",
        where);
  std::size_t axis = 0;
  while (axis + 1 < axes && count[axis] != H5S_UNLIMITED && block[axis] != H5S_UNLIMITED) ++axis;
  if (start[axis] >= extents[axis]) return;
  const hsize_t room = extents[axis] - start[axis];
  const bool numbered =
      H5Sget_select_npoints(source) >= 0 && (file + dataset).find("%b") != std::string::npos;
  if (!numbered) {
    if (block[axis] == H5S_UNLIMITED) block[axis] = room;
    if (count[axis] == H5S_UNLIMITED)
      count[axis] = room < block[axis] ? 1 : (room - block[axis]) / stride[axis] + 1;
    parts.push_back(
        {file, dataset, block_of(extents, start, stride, count, block, where), {}, false});
    return;
  }
  check(room / stride[axis] < kMaxBlocks, ExitCode::kBadData,
        "[{}] expected at most {} sources of a virtual dataset, got more", where, kMaxBlocks);
  count[axis] = 1;
  const hsize_t length = block[axis];
  const hsize_t first = start[axis];
  for (hsize_t number = 0; first + number * stride[axis] < extents[axis]; ++number) {
    start[axis] = first + number * stride[axis];
    block[axis] = std::min(length, extents[axis] - start[axis]);
    parts.push_back({replace_number(file, number),
                     replace_number(dataset, number),
                     block_of(extents, start, stride, count, block, where),
                     {}});
  }
}

std::vector<Part> parts_of(hid_t creation, const Extents& extents, const std::string& where) {
  std::size_t count = 0;
  checked(H5Pget_virtual_count(creation, &count), where, "cannot read the virtual layout");
  std::vector<Part> parts;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string file = text_of(H5Pget_virtual_filename, creation, i, where);
    const std::string dataset = text_of(H5Pget_virtual_dsetname, creation, i, where);
    Handle mapped(checked(H5Pget_virtual_vspace(creation, i), where, "cannot read the layout"));
    const Handle source(
        checked(H5Pget_virtual_srcspace(creation, i), where, "cannot read the layout"));
    if (extents_of(mapped.id(), where).size() != extents.size())
      fail(ExitCode::kBadData, "[{}] expected mappings of {} axes, got others", where,
           extents.size());
    if (H5Sget_select_npoints(mapped.id()) < 0) {  // H5S_UNLIMITED
      add_endless(file, dataset, mapped.id(), source.id(), extents, where, parts);
      continue;
    }
    Extents needed(extents_of(source.id(), where).size());
    Extents lowest(needed.size());
    if (H5Sget_select_npoints(source.id()) > 0 && !needed.empty()) {
      checked(H5Sget_select_bounds(source.id(), lowest.data(), needed.data()), where,
              "cannot read the virtual layout");
      for (hsize_t& extent : needed) ++extent;
    }
    const bool whole = H5Sget_select_type(source.id()) == H5S_SEL_ALL;
    parts.push_back(
        {file, dataset, as_hyperslab(std::move(mapped), extents, where), needed, whole});
  }
  return parts;
}

void check_covered(const std::vector<Part>& parts, const Extents& extents,
                   const std::string& where) {
  const hsize_t wanted = product_of(extents);
  hsize_t mapped = 0;
  Handle all;
  for (const Part& part : parts) {
    if (H5Sget_select_npoints(part.mapped.id()) == 0) continue;
    all = Handle(all.id() < 0 ? H5Scopy(part.mapped.id())
                              : H5Scombine_select(all.id(), H5S_SELECT_OR, part.mapped.id()));
    checked(static_cast<hid_t>(all.id()), where, "cannot read the virtual layout");
  }
  if (all.id() >= 0) mapped = static_cast<hsize_t>(H5Sget_select_npoints(all.id()));
  check(mapped >= wanted, ExitCode::kBadData,
        "[{}] expected a virtual dataset whose sources cover all of its {} elements, got {}: the "
        "others would read as the fill value, as if they were data; map them, or copy what is "
        "there into a dataset of its own",
        where, wanted, mapped);
}

/// The directory in an environment variable's prefix, in which ${ORIGIN} is that of the file.
std::string prefix_from(const char* variable, const fs::path& directory) {
  const char* value = std::getenv(variable);
  std::string prefix = value == nullptr ? "" : value;
  constexpr std::string_view kOrigin = "${ORIGIN}";
  if (prefix.starts_with(kOrigin)) prefix.replace(0, kOrigin.size(), directory.string());
  return prefix;
}

/// Where HDF5 looks for a source, in its order (H5F_prefix_open_file).
std::vector<fs::path> places_of(const std::string& name, const fs::path& main_file) {
  std::vector<fs::path> places;
  fs::path relative = name;
  const fs::path directory = main_file.parent_path();
  if (relative.is_absolute()) {
    places.push_back(relative);
    relative = relative.filename();
  }
  if (const std::string prefix = prefix_from("HDF5_VDS_PREFIX", directory); !prefix.empty())
    places.push_back(fs::path(prefix) / relative);
  places.push_back(directory / relative);
  places.push_back(relative);
  std::error_code ignored;
  if (const fs::path real = fs::canonical(main_file, ignored); !real.empty())
    places.push_back(real.parent_path() / relative);
  return places;
}

std::string file_name_of(hid_t object, const std::string& where) {
  const ssize_t length =
      checked(H5Fget_name(object, nullptr, 0), where, "cannot tell the file's name");
  std::string name(static_cast<std::size_t>(length) + 1, '\0');
  checked(H5Fget_name(object, name.data(), name.size()), where, "cannot tell the file's name");
  name.pop_back();
  return name;
}

File open_source_file(const Part& part, hid_t dataset, const std::string& where) {
  const std::vector<fs::path> places = places_of(part.file, file_name_of(dataset, where));
  std::error_code ignored;
  const auto there = std::ranges::find_if(
      places, [&](const fs::path& place) { return fs::is_regular_file(place, ignored); });
  check(there != places.end(), ExitCode::kBadData,
        "[{}] expected the file {}, which the virtual dataset shows, got no such file (looked in "
        "{}): its part would read as the fill value, as if it were data; bring the file there, or "
        "set HDF5_VDS_PREFIX to its directory",
        where, printable(part.file), printable(places.front().parent_path().string()));
  try {
    return File::open(*there, true);
  } catch (const Error& error) {
    fail(error.code(), "[{}] cannot use a file that the virtual dataset shows: {}", where,
         error.what());
  }
}

void check_source(const Part& part, const OpenDataset& source, const std::string& where,
                  const std::string& source_label) {
  check(source.info.type.has_value(), ExitCode::kBadData,
        "[{}] expected numbers in the sources of a virtual dataset, got {} in {}", where,
        source.info.stored_type, source_label);
  const Shape& extents = source.info.extents;
  const hssize_t mapped = H5Sget_select_npoints(part.mapped.id());
  check(!part.whole || element_count(extents) == mapped, ExitCode::kBadData,
        "[{}] expected {} elements in {}, which the virtual dataset shows, got shape {}", where,
        mapped, source_label, to_string(extents));
  if (part.needed.empty()) return;
  bool enough = extents.size() == part.needed.size();
  for (std::size_t i = 0; enough && i < extents.size(); ++i)
    enough = static_cast<hsize_t>(extents[i]) >= part.needed[i];
  check(enough, ExitCode::kBadData,
        "[{}] expected at least {} in {}, which the virtual dataset shows, got {}: the rest would "
        "read as the fill value",
        where, to_string(Shape(part.needed.begin(), part.needed.end())), source_label,
        to_string(extents));
}

}  // namespace

void detail::check_virtual_names(hid_t creation, const std::string& where, int depth) {
  check(depth < kMaxVirtualDepth, ExitCode::kBadData,
        "[{}] expected at most {} levels of virtual datasets, got more", where, kMaxVirtualDepth);
  std::size_t count = 0;
  checked(H5Pget_virtual_count(creation, &count), where, "cannot read the virtual layout");
  for (std::size_t i = 0; i < count; ++i) {
    const std::string source_file = text_of(H5Pget_virtual_filename, creation, i, where);
    check(source_file == ".", ExitCode::kBadData,
          "[{}] expected data inside the file, got a virtual dataset that reaches {} (for a "
          "dataset, --trust-data allows it)",
          where, printable(source_file));
  }
}

void detail::check_virtual_sources(const File& file, hid_t id, hid_t creation, bool trust,
                                   int depth, OpenDataset& dataset, const std::string& where) {
  check(depth < kMaxVirtualDepth, ExitCode::kBadData,
        "[{}] expected at most {} levels of virtual datasets, got more", where, kMaxVirtualDepth);
  const Handle space(checked(H5Dget_space(dataset.id.id()), where, "cannot read the extents"));
  const Extents extents = extents_of(space.id(), where);
  const std::vector<Part> parts = parts_of(creation, extents, where);
  std::vector<std::string> counted;
  for (const Part& part : parts) {
    const auto look = [&](const File& in, hid_t in_id) {
      const std::string source_label = label(in.name(), part.dataset);
      const OpenDataset source =
          open_dataset(in, in_id, part.dataset, trust, Measure::kStorage, depth + 1);
      check_storage_size(source, source_label);
      check_source(part, source, where, source_label);
      if (dataset.info.unwritten.empty()) dataset.info.unwritten = source.info.unwritten;
      if (std::ranges::find(counted, source_label) != counted.end()) return;
      counted.push_back(source_label);
      dataset.info.bytes_stored += source.info.bytes_stored;
    };
    if (part.file == ".") {
      look(file, id);
    } else {
      const File other = open_source_file(part, dataset.id.id(), where);
      look(other, other.id());
    }
  }
  check_covered(parts, extents, where);
}

void detail::check_external_files(hid_t creation, hid_t dataset, bool trust, std::int64_t needed,
                                  const std::string& where) {
  const int files = checked(H5Pget_external_count(creation), where, "cannot read the storage");
  for (int i = 0; i < files; ++i) {
    std::vector<char> name(4096, '\0');
    off_t offset = 0;
    hsize_t size = 0;
    checked(H5Pget_external(creation, static_cast<unsigned>(i), name.size() - 1, name.data(),
                            &offset, &size),
            where, "cannot read the storage");
    check(trust, ExitCode::kBadData,
          "[{}] expected data inside the file, got external storage in {} (for a dataset, "
          "--trust-data allows it)",
          where, printable(name.data()));
    const fs::path main_file = file_name_of(dataset, where);
    const fs::path path =
        fs::path(prefix_from("HDF5_EXTFILE_PREFIX", main_file.parent_path())) / name.data();
    std::error_code error;
    const std::uintmax_t there = fs::file_size(path, error);
    check(!error, ExitCode::kMissingInput,
          "[{}] expected the file {}, which holds the dataset's bytes, got none: relative names "
          "count from where lockstep is started; HDF5_EXTFILE_PREFIX='${{ORIGIN}}' lets them count "
          "from {}",
          where, printable(path.string()), printable(main_file.string()));
    const auto part = size == H5F_UNLIMITED
                          ? static_cast<std::uint64_t>(std::max<std::int64_t>(needed, 0))
                          : std::min<std::uint64_t>(size, static_cast<std::uint64_t>(needed));
    check(
        there >= static_cast<std::uint64_t>(offset) + part, ExitCode::kBadData,
        "[{}] expected {} bytes from byte {} of {}, which holds the dataset's bytes, got a file of "
        "{} bytes: the rest would read as zeros; copy or make it again",
        where, part, offset, printable(path.string()), there);
    needed -= static_cast<std::int64_t>(part);
  }
}

}  // namespace lockstep::hdf5
