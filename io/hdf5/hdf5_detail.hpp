#pragma once

#include <hdf5.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/hdf5/hdf5.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"

/// Shared by the hdf5*.cpp files, for nobody else: the one place that includes <hdf5.h>.
namespace lockstep::hdf5::detail {

static_assert(sizeof(hid_t) == sizeof(Id));

/// While it lives, HDF5 prints no error stack and loads no plugin, unless filters' plugins are
/// allowed. Both settings belong to the process, perhaps to another library in it: they are put
/// back.
class Quiet {
 public:
  explicit Quiet(bool filter_plugins = false);
  ~Quiet();
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;

 private:
  H5E_auto2_t print_ = nullptr;
  void* print_data_ = nullptr;
  unsigned plugins_ = 0;
  bool restore_print_ = false;
  bool restore_plugins_ = false;
};

/// Why the last HDF5 call failed.
struct Failure {
  std::string text;       ///< the innermost reason, in HDF5's words
  bool not_hdf5 = false;  ///< no HDF5 signature
  bool disk = false;      ///< the system could not read
};
Failure last_failure();

/// Throws Error "[where] action: reason": 74 if the disk failed, otherwise `code`.
[[noreturn]] void fail_call(const std::string& where, std::string_view action,
                            ExitCode code = ExitCode::kBadData);

/// The result of an HDF5 call, all of which report failure by a negative number.
template <class Result>
Result checked(Result result, const std::string& where, std::string_view action,
               ExitCode code = ExitCode::kBadData) {
  if (result < 0) fail_call(where, action, code);
  return result;
}

/// How links are followed: inside the file always, into other files only if it is trusted.
class LinkAccess {
 public:
  explicit LinkAccess(bool trust);
  LinkAccess(const LinkAccess&) = delete;
  LinkAccess& operator=(const LinkAccess&) = delete;
  hid_t id() const { return static_cast<hid_t>(list_.id()); }
  /// Throws Error (65), naming the link's target, if a call met a link that leaves the file.
  void check_refused(const std::string& where) const;

 private:
  Handle list_;
  std::string refused_;
};

/// "FILE:/path" with exactly one slash.
std::string label(const std::string& file_name, const std::string& path);
/// "/a", "/a/b" for "a//b/".
std::vector<std::string> prefixes(const std::string& path);

/// A property list of file access without locks, where this HDF5 can do so.
Handle access_without_lock();
/// A file name that no file and no other image of this process has.
std::string image_name();

hid_t native_type(ElementType type);

/// "/a, /b and 3 more", for messages.
std::string list_datasets(const File& file);
/// Opens a group or dataset; throws Error (65), listing the datasets that exist.
Handle open_object(const File& file, hid_t id, const std::string& path, bool trust);

/// What a stored type is read as.
struct NumberType {
  std::optional<ElementType> native;
  std::string name;   ///< for people
  bool text = false;  ///< strings
};
NumberType number_type(hid_t type, const std::string& where);
/// The type in memory for numbers stored as `stored`: `type`, but bit fields stay bit fields, which
/// HDF5 does not convert.
hid_t memory_type(hid_t stored, ElementType type);
/// The fields of a compound; none if it is no compound.
std::vector<Field> compound_fields(hid_t type, const std::string& where);
/// The names of the filters; refuses (65) those that HDF5 lacks. With `trust` it may load plugins.
std::vector<std::string> read_filters(hid_t creation, bool trust, const std::string& where);

/// A dataset that passed every check but the one of its storage's size.
struct OpenDataset {
  Handle id;
  DatasetInfo info;
  std::int64_t bytes = 0;        ///< all rows, in memory
  std::int64_t chunk_bytes = 0;  ///< 0: not chunked
  bool elsewhere = false;        ///< stored in another file, which the user trusts
};
/// To measure chunked storage, HDF5 walks the index of all chunks.
enum class Measure { kStorage, kNothingChunked };
/// Makes every check but check_storage_size(). Sources of virtual datasets are `depth` levels down.
OpenDataset open_dataset(const File& file, hid_t id, const std::string& path, bool trust,
                         Measure measure, int depth = 0);
/// Refuses what would allocate far more than the file can hold. The storage must be measured.
void check_storage_size(const OpenDataset& dataset, const std::string& where);
/// That no source of a virtual dataset lies in another file: by their names, opening nothing.
void check_virtual_names(hid_t creation, const std::string& where, int depth);
/// That the sources are there, hold numbers, reach as far as they are mapped, and cover the whole;
/// adds up the bytes that they store. Throws Error (65) with the source's name.
void check_virtual_sources(const File& file, hid_t id, hid_t creation, bool trust, int depth,
                           OpenDataset& dataset, const std::string& where);
/// Refuses external storage without `trust`; with it, files that are missing (66) or too short.
void check_external_files(hid_t creation, hid_t dataset, bool trust, std::int64_t needed,
                          const std::string& where);
/// Selects rows [first, first + count), or columns of the last axis, in a new dataspace.
enum class Axis { kFirst, kLast };
Handle select_along(const OpenDataset& dataset, Axis axis, std::int64_t first, std::int64_t count,
                    const std::string& where);
/// The product times `start`, or none if it does not fit 63 bits or a factor is negative.
std::optional<std::int64_t> product(const Shape& factors, std::int64_t start);

/// Writes to the disk what HDF5 still holds of an open file. If that fails, HDF5 is given an
/// anonymous file in memory to finish with, and the reason is returned (empty: success): HDF5 1.10
/// would free a file that it cannot close, and use it again when the process exits.
std::string flush_or_divert(hid_t file, bool sync);

}  // namespace lockstep::hdf5::detail
