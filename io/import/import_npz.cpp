#include <zip.h>

#include <algorithm>
#include <memory>

#include "io/files/file_kind.hpp"
#include "io/files/posix_file.hpp"
#include "io/import/byte_source.hpp"
#include "io/import/import.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

constexpr std::string_view kEnding = ".npy";
constexpr std::size_t kStep = std::size_t{1} << 20;

struct CloseArchive {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
using Archive = std::unique_ptr<zip_t, CloseArchive>;

struct CloseMember {
  void operator()(zip_file_t* member) const { zip_fclose(member); }
};

std::string reason_of(int code) {
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  std::string text = zip_error_strerror(&error);
  zip_error_fini(&error);
  return text;
}

Archive open_archive(const std::filesystem::path& path) {
  int code = 0;
  Archive archive(zip_open(path.c_str(), ZIP_RDONLY, &code));
  if (archive != nullptr) return archive;
  const FileKind kind = file_kind(path);
  check(kind == FileKind::kNpz || kind == FileKind::kZip, ExitCode::kBadData,
        "[npz] {}: expected a NumPy archive (.npz), got {}", printable(path.string()),
        what_file_is(path));
  fail(code == ZIP_ER_READ || code == ZIP_ER_SEEK ? ExitCode::kInputOutput : ExitCode::kBadData,
       "[npz] {}: expected a whole zip archive, got: {}", printable(path.string()),
       reason_of(code));
}

/// One member, inflated as it is read.
class ZipMember final : public ArraySource {
 public:
  ZipMember(zip_t* archive, const std::filesystem::path& path, const std::string& member)
      : name_(printable(path.string()) + ": " + printable(member)) {
    zip_stat_t status;
    zip_stat_init(&status);
    check(zip_stat(archive, member.c_str(), 0, &status) == 0 && (status.valid & ZIP_STAT_SIZE) != 0,
          ExitCode::kBadData, "[npz] {}: expected a member of known size, got none", name_);
    size_ = status.size;
    member_.reset(zip_fopen(archive, member.c_str(), 0));
    check(member_ != nullptr, ExitCode::kBadData, "[npz] {}: cannot open the member: {}", name_,
          zip_strerror(archive));
  }

  const std::string& name() const override { return name_; }

  std::size_t read(std::span<std::byte> out) override {
    std::size_t done = 0;
    while (done < out.size()) {
      const zip_int64_t got = zip_fread(member_.get(), out.data() + done, out.size() - done);
      check(got >= 0, ExitCode::kBadData, "[npz] {}: damaged: {}", name_,
            zip_file_strerror(member_.get()));
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    position_ += done;
    return done;
  }

  std::vector<std::byte> read_array(const Shape& extents, std::size_t element_size) override {
    const std::uint64_t count = checked_array_bytes(extents, element_size, name_);
    check(position_ <= size_ && count == size_ - position_, ExitCode::kBadData,
          "[npz] {}: expected {} bytes after the header for {}, got {}", name_, count,
          to_string(extents), size_ - std::min(position_, size_));
    std::vector<std::byte> bytes;
    // The directory may claim more than there is: the memory follows what was delivered.
    for (std::size_t done = 0; done < count;) {
      bytes.resize(static_cast<std::size_t>(
          std::min<std::uint64_t>(count, done + std::max<std::uint64_t>(kStep, done))));
      done += read(std::span(bytes).subspan(done));
      check(done == bytes.size(), ExitCode::kBadData,
            "[npz] {}: expected {} bytes after the header for {}, got {}", name_, count,
            to_string(extents), done);
    }
    std::byte extra = {};  // reading to the very end checks the sum of the member
    check(read({&extra, 1}) == 0, ExitCode::kBadData, "[npz] {}: expected {} bytes, got more",
          name_, count);
    return bytes;
  }

 private:
  std::string name_;
  std::uint64_t size_ = 0;
  std::uint64_t position_ = 0;
  std::unique_ptr<zip_file_t, CloseMember> member_;
};

}  // namespace

NpzFile::NpzFile(const std::filesystem::path& path) : path_(path) {
  open_input(path);  // says what cannot be read
  const Archive archive = open_archive(path);
  const zip_int64_t members = zip_get_num_entries(archive.get(), 0);
  for (zip_int64_t i = 0; i < members; ++i) {
    const char* member = zip_get_name(archive.get(), static_cast<zip_uint64_t>(i), 0);
    const std::string_view name = member == nullptr ? "" : member;
    if (name.ends_with(kEnding)) names_.emplace_back(name.substr(0, name.size() - kEnding.size()));
  }
  check(!names_.empty(), ExitCode::kBadData,
        "[npz] {}: expected members that end in .npy, got {} without one", printable(path.string()),
        what_file_is(path));
}

bool NpzFile::has(const std::string& name) const {
  return std::ranges::find(names_, name) != names_.end();
}

Array NpzFile::read(const std::string& name) const {
  std::vector<std::string> known;
  for (const std::string& each : names_) known.push_back(printable(each));
  check(has(name), ExitCode::kBadData, "[npz] {}: expected one of its arrays {}, got '{}'",
        printable(path_.string()), fmt::format("{}", fmt::join(known, ", ")), printable(name));
  const Archive archive = open_archive(path_);
  ZipMember member(archive.get(), path_, name + std::string(kEnding));
  return read_npy(member);
}

}  // namespace lockstep
