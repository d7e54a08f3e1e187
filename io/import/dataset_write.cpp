#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <span>
#include <utility>

#include "io/files/posix_file.hpp"
#include "io/hdf5/hdf5.hpp"
#include "io/import/import.hpp"
#include "src/core/error.hpp"

namespace lockstep {
namespace {

/// Removes the file unless it was renamed away.
struct TemporaryFile {
  std::filesystem::path path;
  ~TemporaryFile() {
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
  }
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

void write_names(hdf5::Writer& writer, const std::string& path, const RowNames& names) {
  if (!names.texts.empty()) writer.write_texts(path, names.texts);
  if (names.numbers.empty()) return;
  const auto count = static_cast<std::int64_t>(names.numbers.size());
  writer.create_dataset(path, ElementType::kInt64, {count});
  writer.write_rows(path, ElementType::kInt64, 0, count, std::as_bytes(std::span(names.numbers)));
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
    if (!*array) continue;
    Shape extents = (*array)->row_shape;
    extents.insert(extents.begin(), (*array)->rows);
    writer.create_dataset(name, (*array)->type, extents);
    writer.write_rows(name, (*array)->type, 0, (*array)->rows, (*array)->bytes);
  }
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
  const std::filesystem::path directory = path.has_parent_path() ? path.parent_path() : ".";
  const TemporaryFile temporary{directory /
                                fmt::format(".{}.{}.tmp", path.filename().string(), ::getpid())};
  write_arrays(temporary.path, arrays);
  sync_to_disk(temporary.path, 0);
  if (::rename(temporary.path.c_str(), path.c_str()) != 0) {
    const int error = errno;
    fail(error == EACCES || error == EPERM ? ExitCode::kPermission : ExitCode::kCannotCreate,
         "[dataset] cannot create {}: {}", path.string(), system_message(error));
  }
  sync_to_disk(directory, O_DIRECTORY);
}

}  // namespace lockstep
