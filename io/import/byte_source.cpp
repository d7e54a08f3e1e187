#include "io/import/byte_source.hpp"

#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "io/files/posix_file.hpp"
#include "src/core/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kStep = std::size_t{1} << 20;
/// Deflate cannot do better than 1032:1 (zlib's technical notes).
constexpr std::uint64_t kLargestRatio = 1032;

gzFile gz(void* file) {
  return static_cast<gzFile>(file);
}

}  // namespace

ByteSource::ByteSource(const std::filesystem::path& path) : name_(path.string()) {
  FileDescriptor file = open_input(path);
  struct stat status = {};
  check(::fstat(file.get(), &status) == 0, ExitCode::kInputOutput, "[import] cannot examine {}: {}",
        name_, system_message(errno));
  file_bytes_ = static_cast<std::uint64_t>(status.st_size);
  file_ = ::gzdopen(file.get(), "rb");
  check(file_ != nullptr, ExitCode::kInputOutput, "[import] not enough memory to read {}", name_);
  file.release();  // gzclose() closes it
  ::gzbuffer(gz(file_), 1U << 18);
}

ByteSource::~ByteSource() {
  ::gzclose(gz(file_));
}

std::size_t ByteSource::read(std::span<std::byte> out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const auto wanted = static_cast<unsigned>(std::min(out.size() - done, std::size_t{1} << 30));
    const int got = ::gzread(gz(file_), out.data() + done, wanted);
    int status = Z_OK;
    const char* reason = ::gzerror(gz(file_), &status);
    check(status != Z_ERRNO, ExitCode::kInputOutput, "[import] cannot read {}: {}", name_, reason);
    // A stream that ends too early is Z_BUF_ERROR, and what was there is delivered first.
    check(got >= 0 && (got > 0 || status != Z_BUF_ERROR), ExitCode::kBadData,
          "[import] {} is a damaged or truncated gzip file: {}", name_, reason);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  position_ += done;
  return done;
}

std::uint64_t checked_array_bytes(const Shape& extents, std::size_t element_size,
                                  const std::string& name) {
  // The largest size that a signed 64-bit number of bytes can count.
  auto room = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / element_size;
  std::uint64_t elements = 1;
  for (const std::int64_t extent : extents) {
    check(extent > 0, ExitCode::kBadData, "[import] {}: expected at least one number, got {}", name,
          to_string(extents));
    check(static_cast<std::uint64_t>(extent) <= room, ExitCode::kBadData,
          "[import] {}: expected an array that a file can hold, got {}", name, to_string(extents));
    room /= static_cast<std::uint64_t>(extent);
    elements *= static_cast<std::uint64_t>(extent);
  }
  return elements * element_size;
}

std::uint64_t ByteSource::array_bytes(const Shape& extents, std::size_t element_size) const {
  const std::uint64_t bytes = checked_array_bytes(extents, element_size, name_);
  if (::gzdirect(gz(file_)) == 1) {
    const std::uint64_t there = file_bytes_ - std::min(position_, file_bytes_);
    check(bytes == there, ExitCode::kBadData,
          "[import] {}: expected {} bytes after the header for {}, got {}", name_, bytes,
          to_string(extents), there);
  } else {
    check(bytes / kLargestRatio <= file_bytes_, ExitCode::kBadData,
          "[import] {}: expected {} bytes after the header for {}, got a gzip file of {} bytes, "
          "which cannot hold them",
          name_, bytes, to_string(extents), file_bytes_);
  }
  return bytes;
}

std::vector<std::byte> ByteSource::read_array(const Shape& extents, std::size_t element_size) {
  const std::uint64_t count = array_bytes(extents, element_size);
  const bool plain = ::gzdirect(gz(file_)) == 1;
  std::vector<std::byte> bytes;
  std::size_t done = 0;
  while (done < count) {
    // An inflated file may still be shorter than it says: the memory follows what was delivered.
    const std::uint64_t step = plain ? count : std::max<std::uint64_t>(kStep, done);
    bytes.resize(static_cast<std::size_t>(std::min(count, done + step)));
    done += read(std::span(bytes).subspan(done));
    check(done == bytes.size(), ExitCode::kBadData,
          "[import] {}: expected {} bytes after the header for {}, got {}", name_, count,
          to_string(extents), done);
  }
  std::byte extra = {};
  check(read({&extra, 1}) == 0, ExitCode::kBadData,
        "[import] {}: expected {} bytes after the header for {}, got more", name_, count,
        to_string(extents));
  return bytes;
}

void reverse_elements(std::span<std::byte> bytes, std::size_t element_size) {
  if (element_size == 1) return;
  for (std::size_t i = 0; i < bytes.size(); i += element_size) {
    std::reverse(bytes.data() + i, bytes.data() + i + element_size);
  }
}

}  // namespace lockstep
