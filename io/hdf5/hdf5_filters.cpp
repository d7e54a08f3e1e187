#include <array>

#include "io/hdf5/hdf5_detail.hpp"

namespace lockstep::hdf5 {
namespace {

using namespace detail;

/// From HDF5's registry of filters; with Debian's names of packages.
struct KnownFilter {
  H5Z_filter_t number;
  const char* name;
  const char* package;
};
constexpr auto kKnown = std::to_array<KnownFilter>({
    {H5Z_FILTER_DEFLATE, "deflate", ""},
    {H5Z_FILTER_SHUFFLE, "shuffle", ""},
    {H5Z_FILTER_FLETCHER32, "fletcher32", ""},
    {H5Z_FILTER_SZIP, "szip", ""},
    {H5Z_FILTER_NBIT, "nbit", ""},
    {H5Z_FILTER_SCALEOFFSET, "scaleoffset", ""},
    {305, "lzo", ""},
    {307, "bzip2", "hdf5-filter-plugin"},
    {32000, "lzf", "hdf5-plugin-lzf"},
    {32001, "blosc", "hdf5-filter-plugin-blosc-serial"},
    {32004, "lz4", "hdf5-filter-plugin"},
    {32008, "bitshuffle", "hdf5-filter-plugin"},
    {32013, "zfp", "hdf5-filter-plugin-zfp-serial"},
    {32015, "zstd", "python3-hdf5plugin"},
    {32026, "blosc2", "python3-hdf5plugin"},
});

const KnownFilter* known_filter(H5Z_filter_t number) {
  for (const KnownFilter& known : kKnown)
    if (known.number == number) return &known;
  return nullptr;
}

/// How to get the plugin of a filter that is not there.
[[noreturn]] void fail_missing(H5Z_filter_t number, const std::string& name, bool trust,
                               const std::string& where) {
  const KnownFilter* known = known_filter(number);
  const std::string package =
      known == nullptr || known->package[0] == '\0'
          ? std::string("the plugin of the program that wrote it")
          : std::string("the plugin (package ") + known->package + ", or Python's hdf5plugin)";
  if (!trust)
    fail(
        ExitCode::kBadData,
        "[{}] expected filters of HDF5 itself, got filter {}, which needs a plugin: install {} and "
        "say --trust-data, which lets HDF5 load it; or rewrite the file with h5repack -f GZIP=4",
        where, name, package);
  fail(ExitCode::kBadData,
       "[{}] expected a filter that HDF5 has or finds, got filter {}: install {}, and set "
       "HDF5_PLUGIN_PATH to its directory",
       where, name, package);
}

}  // namespace

std::vector<std::string> detail::read_filters(hid_t creation, bool trust,
                                              const std::string& where) {
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
    const KnownFilter* known = known_filter(filter);
    if (known != nullptr && filter < H5Z_FILTER_RESERVED) {
      filters.emplace_back(known->name);
    } else {
      const std::string called = name[0] == '\0' && known != nullptr ? known->name : name.data();
      filters.push_back(fmt::format("{} '{}'", filter, printable(called)));
    }
    // With trust this is when HDF5 looks for the plugin.
    if (H5Zfilter_avail(filter) <= 0) fail_missing(filter, filters.back(), trust, where);
  }
  return filters;
}

}  // namespace lockstep::hdf5
