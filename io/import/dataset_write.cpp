#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <span>
#include <utility>

#include "io/files/left_behind.hpp"
#include "io/files/posix_file.hpp"
#include "io/hdf5/hdf5.hpp"
#include "io/import/import.hpp"
#include "src/core/error.hpp"

namespace lockstep {
namespace {

constexpr int kMaxNameAttempts = 1000;

[[noreturn]] void fail_to(const char* action, const std::filesystem::path& path, int error) {
  const bool permission = error == EACCES || error == EPERM;
  const bool disk = error == ENOSPC || error == EDQUOT || error == EFBIG || error == EIO;
  fail(permission ? ExitCode::kPermission
       : disk     ? ExitCode::kInputOutput
                  : ExitCode::kCannotCreate,
       "[dataset] cannot {} {}: {}", action, path.string(), system_message(error));
}

/// A new file beside its target, under a name that nobody has and locked while it is written;
/// removed unless it is published.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::filesystem::path& target) : target_(target) {
    remove_left_behind(target);
    int error = EEXIST;
    for (int attempt = 0; attempt < kMaxNameAttempts && error == EEXIST; ++attempt) {
      path_ = target.parent_path() /
              fmt::format(".{}.{}-{}.tmp", target.filename().string(), ::getpid(), attempt);
      file_ = FileDescriptor(
          ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666));
      error = file_.get() >= 0 ? 0 : errno;
    }
    if (error != 0) fail_to("create", target, error);
    ::flock(file_.get(), LOCK_EX | LOCK_NB);
  }
  ~TemporaryFile() {
    if (!published_) ::unlink(path_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::filesystem::path& path() const { return path_; }

  /// That the disk and the limits have room for so many bytes. HDF5 1.10.8 crashes at the end of
  /// the process after a write that failed for lack of it.
  void check_room(std::size_t bytes) const {
    const int result = ::fallocate(file_.get(), 0, 0, static_cast<off_t>(bytes));
    if (result == 0 || errno == EOPNOTSUPP || errno == ENOSYS || errno == EINTR) return;
    fail_to("write", target_, errno);
  }

  void publish() {
    if (::rename(path_.c_str(), target_.c_str()) != 0) fail_to("create", target_, errno);
    published_ = true;
  }

 private:
  std::filesystem::path target_;
  std::filesystem::path path_;
  FileDescriptor file_;
  bool published_ = false;
};

void sync_to_disk(const std::filesystem::path& path, int flags) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags));
  if (file.get() >= 0 && ::fsync(file.get()) == 0) return;
  // A directory that may be written but not read, or that its filesystem cannot sync.
  if (flags == O_DIRECTORY && (errno == EACCES || errno == EINVAL)) return;
  fail(ExitCode::kInputOutput, "[dataset] cannot bring {} to the disk: {}", path.string(),
       system_message(errno));
}

void check_rows(const std::optional<Array>& x, const std::optional<Array>& y, const char* part) {
  if (!x || !y) return;
  check(x->rows == y->rows, ExitCode::kBadData,
        "[dataset] expected as many rows in x_{} as in y_{}, got {} and {}", part, part, x->rows,
        y->rows);
}

std::size_t bytes_of(const DatasetArrays& arrays) {
  constexpr std::size_t kMetadata = 65536;  // much more than HDF5 adds
  std::size_t bytes = kMetadata + arrays.table_mapping.size();
  for (const auto* array : {&arrays.x_train, &arrays.y_train, &arrays.x_val, &arrays.y_val,
                            &arrays.x_test, &arrays.y_test}) {
    if (*array) bytes += (*array)->bytes.size();
  }
  if (const auto& series = arrays.series)
    bytes += series->x.bytes.size() + series->y.bytes.size() +
             2 * sizeof(std::int64_t) *
                 (series->train.size() + series->validation.size() + series->test.size());
  for (const RowNames* names : {&arrays.id_train, &arrays.id_val, &arrays.id_test}) {
    std::size_t longest = 0;
    for (const std::string& text : names->texts) longest = std::max(longest, text.size());
    bytes += longest * names->texts.size() + sizeof(std::int64_t) * names->numbers.size();
  }
  return bytes;
}

void write_names(hdf5::Writer& writer, const std::string& path, const RowNames& names) {
  if (!names.texts.empty()) writer.write_string_dataset(path, names.texts);
  if (names.numbers.empty()) return;
  const auto count = static_cast<std::int64_t>(names.numbers.size());
  writer.create_dataset(path, ElementType::kInt64, {count});
  writer.write_rows(path, ElementType::kInt64, 0, count, std::as_bytes(std::span(names.numbers)));
}

void write_array(hdf5::Writer& writer, const std::string& path, const Array& array) {
  Shape extents = array.row_shape;
  extents.insert(extents.begin(), array.rows);
  writer.create_dataset(path, array.type, extents);
  writer.write_rows(path, array.type, 0, array.rows, array.bytes);
}

/// The beginnings of windows, as inputs and as targets.
void write_starts(hdf5::Writer& writer, const std::string& part,
                  const std::vector<std::int64_t>& starts, const SeriesArrays& series) {
  if (starts.empty()) return;
  const auto rows = static_cast<std::int64_t>(starts.size());
  for (const char* role : {"/x_", "/y_"}) {
    const std::string path = role + part;
    writer.create_dataset(path, ElementType::kInt64, {rows});
    writer.write_rows(path, ElementType::kInt64, 0, rows, std::as_bytes(std::span(starts)));
    writer.write_string(path, kWindows, to_json_text(role[1] == 'x' ? series.x_cut : series.y_cut));
  }
}

void write_series(hdf5::Writer& writer, const SeriesArrays& series) {
  write_array(writer, series.x_cut.series, series.x);
  write_array(writer, series.y_cut.series, series.y);
  write_starts(writer, "train", series.train, series);
  write_starts(writer, "test", series.test, series);
  write_starts(writer, "val", series.validation, series);
}

void write_arrays(const std::filesystem::path& path, const DatasetArrays& arrays) {
  const std::array<std::pair<const char*, const std::optional<Array>*>, 6> named = {{
      {"/x_train", &arrays.x_train},
      {"/y_train", &arrays.y_train},
      {"/x_test", &arrays.x_test},
      {"/y_test", &arrays.y_test},
      {"/x_val", &arrays.x_val},
      {"/y_val", &arrays.y_val},
  }};
  hdf5::Writer writer = hdf5::Writer::create(path);
  for (const auto& [name, array] : named) {
    if (*array) write_array(writer, name, **array);
  }
  if (arrays.series) write_series(writer, *arrays.series);
  write_names(writer, "/id_train", arrays.id_train);
  write_names(writer, "/id_test", arrays.id_test);
  write_names(writer, "/id_val", arrays.id_val);
  if (!arrays.table_mapping.empty()) writer.write_string("/", kTableMapping, arrays.table_mapping);
  writer.close();
}

}  // namespace

void write_dataset_file(const std::filesystem::path& path, const DatasetArrays& arrays) {
  check_rows(arrays.x_train, arrays.y_train, "train");
  check_rows(arrays.x_test, arrays.y_test, "test");
  check_rows(arrays.x_val, arrays.y_val, "val");
  check(path.has_filename(), ExitCode::kCannotCreate, "[dataset] expected a file's name, got {}",
        path.string());
  TemporaryFile temporary(path);
  temporary.check_room(bytes_of(arrays));
  write_arrays(temporary.path(), arrays);
  sync_to_disk(temporary.path(), 0);
  temporary.publish();
  sync_to_disk(path.has_parent_path() ? path.parent_path() : ".", O_DIRECTORY);
}

}  // namespace lockstep
