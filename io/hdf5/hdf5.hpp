#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "src/core/element_type.hpp"
#include "src/core/shape.hpp"

/// HDF5 in RAII: the only file of Lockstep that includes <hdf5.h> is hdf5_detail.hpp.
/// Every return code is checked; the library's own error stack is silenced and becomes the text of
/// one Error. Files are assumed hostile: see open().
namespace lockstep::hdf5 {

using Id = std::int64_t;  ///< hid_t

/// Owns one HDF5 identifier of any kind.
class Handle {
 public:
  Handle() = default;
  explicit Handle(Id id) : id_(id) {}
  ~Handle();
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    return *this;
  }
  Id id() const { return id_; }

 private:
  Id id_ = -1;
};

/// A field of a compound.
struct Field {
  std::string name;                 ///< "a"; of a compound in the compound: "a.b"
  std::optional<ElementType> type;  ///< the native type it is read as; none: not a number
  std::string stored_type;          ///< for people
  Shape extents;                    ///< of an array; empty: one number
  bool text = false;                ///< strings

  std::size_t bytes() const {  ///< in memory, of one row
    return type ? element_size(*type) * static_cast<std::size_t>(element_count(extents)) : 0;
  }
};

/// What a dataset holds, as far as reading it needs to know.
struct DatasetInfo {
  Shape extents;                     ///< all axes, the first one counts rows; empty: a scalar
  std::optional<ElementType> type;   ///< the native type it is read as; none: not a number
  std::string stored_type;           ///< for people: "big-endian float64", "string", "compound"
  Shape chunk;                       ///< empty: not chunked
  std::vector<std::string> filters;  ///< for people: "deflate", "shuffle", "fletcher32"
  std::int64_t bytes_stored = 0;     ///< on disk
  bool text = false;                 ///< strings
  std::vector<Field> fields;         ///< of a compound
  std::string unwritten;             ///< what was never written, in words; empty: nothing
};

/// Numbers of an attribute, each exact.
using AttributeNumbers = std::vector<long double>;

/// An open file, for reading.
class File {
 public:
  /// Opens without a lock if locking fails (read-only media, NFS). Throws Error: 66 missing or a
  /// directory, 77 no permission, 65 not an HDF5 file or truncated.
  static File open(const std::filesystem::path& path, bool trust = false);
  /// A file image in memory (a checkpoint's bytes); `name` is for messages.
  static File open_image(std::span<const std::byte> image, const std::string& name);

  const std::string& name() const { return name_; }
  Id id() const { return file_.id(); }

  bool exists(const std::string& path) const;
  bool is_group(const std::string& path) const;
  bool is_compound(const std::string& path) const;  ///< a dataset of records
  /// Names in a group, in alphabetical order.
  std::vector<std::string> children(const std::string& group) const;
  /// Every dataset of the file by its full path, in alphabetical order (for messages and inspect).
  std::vector<std::string> datasets() const;

  /// Describes the dataset and refuses (65) what must not be read: external links and external
  /// storage, virtual datasets that reach another file, filters that need a plugin (unless the file
  /// is trusted, and the other files and plugins are there and hold what is said of them), virtual
  /// datasets that are not covered by their sources, chunks that do not fit the dataspace or are
  /// over 2 GiB, extents whose product overflows, storage far smaller than the extents declare.
  /// A path that is absent or no dataset: 65, listing the datasets that exist.
  DatasetInfo dataset_info(const std::string& path) const;

  /// Reads rows [first, first + count) in `type` (DatasetInfo::type) into `out`, converting the
  /// byte order; float16 is read as float32. Throws Error (65) naming file and dataset if the
  /// storage is damaged (checksum, truncated), 74 if the disk fails.
  void read_rows(const std::string& path, ElementType type, std::int64_t first, std::int64_t count,
                 std::span<std::byte> out) const;
  /// The same of the last axis: `out` has the dataset's shape but for `count` in its last axis.
  void read_along_last(const std::string& path, ElementType type, std::int64_t first,
                       std::int64_t count, std::span<std::byte> out) const;
  /// Rows of these fields of a compound, each in its native type, one after the other without gaps.
  void read_fields(const std::string& path, const std::vector<Field>& fields, std::int64_t first,
                   std::int64_t count, std::span<std::byte> out) const;
  /// All strings of a dataset, or of a field of its compound, of fixed or variable length.
  std::vector<std::string> read_texts(const std::string& path, const std::string& field = "") const;
  /// The whole dataset as float32; its extents must be `extents` (65 otherwise, before allocating).
  std::vector<float> read_floats(const std::string& path, const Shape& extents) const;
  std::int64_t read_integer(const std::string& path) const;  ///< a scalar, or one element

  /// Attributes of the group or dataset at `path` ("/" for the file's).
  bool has_attribute(const std::string& path, const std::string& name) const;
  /// Variable- or fixed-length string, ASCII or UTF-8.
  std::string read_string(const std::string& path, const std::string& name) const;
  /// A 1-D array of strings; an empty array of any type is an empty list; `name0`, `name1`, ... are
  /// joined if `name` is absent, as Keras writes long lists.
  std::vector<std::string> read_strings(const std::string& path, const std::string& name) const;
  /// An integer or floating-point attribute; empty if it is absent or of another type.
  AttributeNumbers read_numbers(const std::string& path, const std::string& name) const;
  bool is_float_attribute(const std::string& path, const std::string& name) const;
  /// A string attribute; empty if it is absent or of another type.
  std::string text_or_nothing(const std::string& path, const std::string& name) const;
  std::vector<std::string> attribute_names(const std::string& path) const;

 private:
  File(Handle handle, std::string name, bool trust);
  Handle file_;
  std::string name_;
  bool trust_ = false;
};

/// A new file, written row by row or as a whole.
class Writer {
 public:
  /// On disk. Throws Error (73) if it cannot be created.
  static Writer create(const std::filesystem::path& path);
  /// In memory; take_image() gives the bytes.
  static Writer in_memory();

  void create_group(const std::string& path);  ///< with its parents
  /// An empty dataset with these extents, chunked if `chunk_rows` > 0, deflated if `deflate` > 0.
  void create_dataset(const std::string& path, ElementType type, const Shape& extents,
                      std::int64_t chunk_rows = 0, int deflate = 0);
  void write_rows(const std::string& path, ElementType type, std::int64_t first, std::int64_t count,
                  std::span<const std::byte> rows);
  void write_floats(const std::string& path, const Shape& extents, std::span<const float> values);
  void write_integer(const std::string& path, std::int64_t value);  ///< scalar int64 dataset
  /// A 1-D dataset of fixed-length UTF-8 strings.
  void write_string_dataset(const std::string& path, std::span<const std::string> values);
  /// Scalar variable-length string, as h5py writes a Python str.
  void write_string(const std::string& path, const std::string& name, const std::string& value);
  /// 1-D fixed-length strings, split into name0, name1, ... above 64512 bytes
  /// as Keras does.
  void write_strings(const std::string& path, const std::string& name,
                     const std::vector<std::string>& values);

  std::vector<std::byte> take_image();  ///< Ends the writer (in_memory() only).
  void close();                         ///< Ends the writer; throws Error (74) if the disk is full.

 private:
  explicit Writer(Handle handle, std::string name);
  Handle file_;
  std::string name_;
};

/// "1.10.8".
std::string library_version();

/// For programs, before any other use of HDF5: it then closes nothing when the process ends. Its
/// exit handler crashes (1.10.8) after a close that failed for lack of memory or of disk.
void leave_open_at_exit();

}  // namespace lockstep::hdf5
