#include <sys/resource.h>
#include <unistd.h>
#include <zlib.h>

#include <cstring>

#include "io/import/import.hpp"
#include "tests/io/io_test_support.hpp"

namespace lockstep {
namespace {

using test::expect_error;
using test::TemporaryDirectory;
using test::write_bytes;
using testing::ElementsAre;

/// `bytes` as a gzip file.
void write_gzipped(const std::filesystem::path& path, const std::string& bytes) {
  const gzFile file = gzopen(path.c_str(), "wb");
  ASSERT_NE(file, nullptr);
  ASSERT_EQ(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())),
            static_cast<int>(bytes.size()));
  ASSERT_EQ(gzclose(file), Z_OK);
}

std::string big_endian(std::uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16),
          static_cast<char>(value >> 8), static_cast<char>(value)};
}

std::string idx_header(char type, const std::vector<std::uint32_t>& extents) {
  std::string header = {0, 0, type, static_cast<char>(extents.size())};
  for (const std::uint32_t extent : extents) header += big_endian(extent);
  return header;
}

template <class T>
std::vector<T> values_of(const Array& array) {
  std::vector<T> values(array.bytes.size() / sizeof(T));
  std::memcpy(values.data(), array.bytes.data(), array.bytes.size());
  return values;
}

/// Two rows of the bytes 1 to 6.
const std::string kSmall = idx_header(0x08, {2, 3}) + "\1\2\3\4\5\6";

class Idx : public testing::Test {
 protected:
  Array read(const std::string& bytes) {
    write_bytes(path_, bytes);
    return read_idx(path_);
  }
  void expect_refused(const std::string& bytes, const std::vector<std::string>& words) {
    write_bytes(path_, bytes);
    expect_error(ExitCode::kBadData, words, [&] { read_idx(path_); });
  }

  TemporaryDirectory directory_;
  std::filesystem::path path_ = directory_ / "data.idx";
};

TEST_F(Idx, ReadsAPlainFile) {
  const Array array = read(kSmall);

  EXPECT_EQ(array.type, ElementType::kUint8);
  EXPECT_EQ(array.rows, 2);
  EXPECT_EQ(array.row_shape, Shape{3});
  EXPECT_THAT(values_of<std::uint8_t>(array), ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST_F(Idx, ReadsAGzippedFileOfSeveralBlocks) {
  std::string pixels(3'000'001, '\0');
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<char>(i * i % 251);
  write_gzipped(path_, idx_header(0x08, {3'000'001}) + pixels);

  const Array array = read_idx(path_);

  EXPECT_EQ(array.rows, 3'000'001);
  EXPECT_TRUE(array.row_shape.empty());
  ASSERT_EQ(array.bytes.size(), pixels.size());
  EXPECT_EQ(std::memcmp(array.bytes.data(), pixels.data(), pixels.size()), 0);
}

TEST_F(Idx, ReadsEveryTypeIntoTheMachinesByteOrder) {
  using std::string_literals::operator""s;
  EXPECT_THAT(values_of<std::int8_t>(read(idx_header(0x09, {2}) + "\x80\x7F")),
              ElementsAre(-128, 127));
  EXPECT_THAT(values_of<std::int16_t>(read(idx_header(0x0B, {2}) + "\xFF\xFE\x01\x02")),
              ElementsAre(-2, 258));
  EXPECT_THAT(values_of<std::int32_t>(read(idx_header(0x0C, {1}) + "\x01\x02\x03\x04")),
              ElementsAre(0x01020304));
  EXPECT_THAT(values_of<float>(read(idx_header(0x0D, {1}) + "\xC0\x20\x00\x00"s)),
              ElementsAre(-2.5F));
  EXPECT_THAT(values_of<double>(read(idx_header(0x0E, {1}) + "\x3F\xF8\0\0\0\0\0\0"s)),
              ElementsAre(1.5));
  EXPECT_EQ(read(idx_header(0x0E, {1}) + "\x3F\xF8\0\0\0\0\0\0"s).type, ElementType::kFloat64);
}

TEST_F(Idx, RefusesAFileThatIsTooShortAtEveryLength) {
  for (std::size_t length = 0; length < kSmall.size(); ++length) {
    expect_refused(kSmall.substr(0, length), {"[", "expected", "got", path_.string()});
  }
  expect_refused(kSmall.substr(0, 17), {"6 bytes", "(2, 3)", "got 5"});
}

TEST_F(Idx, RefusesBytesBehindTheArray) {
  expect_refused(kSmall + "x", {"6 bytes", "got 7"});
  write_gzipped(path_, kSmall + "x");
  expect_error(ExitCode::kBadData, {"6 bytes", "got more"}, [&] { read_idx(path_); });
}

TEST_F(Idx, RefusesAGzipStreamTruncatedAtAnyLength) {
  write_gzipped(path_, kSmall);
  const std::string whole = test::bytes_of(path_);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    expect_refused(whole.substr(0, length), {path_.string()});
  }
}

TEST_F(Idx, RefusesAGzipStreamWithAFlippedBit) {
  write_gzipped(path_, kSmall);
  std::string bytes = test::bytes_of(path_);
  bytes[bytes.size() - 6] = static_cast<char>(bytes[bytes.size() - 6] ^ 1);  // in the checksum
  expect_refused(bytes, {"damaged", "incorrect data check"});
}

TEST_F(Idx, RefusesAnotherMagicNumber) {
  expect_refused("PNG, not IDX", {"IDX", "50 4e 47 2c"});
  expect_refused(idx_header(0x0A, {1}) + "x", {"0x08", "got 0x0A"});
  expect_refused(idx_header(0x08, {}) + "x", {"at least one axis"});
  expect_refused(idx_header(0x08, {0, 28}), {"at least one number", "(0, 28)"});
}

TEST_F(Idx, RefusesExtentsWhoseProductOverflows) {
  const std::string header = idx_header(0x0E, {1U << 31, 1U << 31, 4});
  expect_refused(header, {"an array that a file can hold", "2147483648"});
}

TEST_F(Idx, TakesNoMemoryForWhatIsNotThere) {
  const std::string header = idx_header(0x08, {1U << 30, 64});
  rusage before = {};
  getrusage(RUSAGE_SELF, &before);

  expect_refused(header + "abc", {"68719476736 bytes", "got 3"});
  write_gzipped(path_, header + "abc");
  expect_error(ExitCode::kBadData, {"68719476736 bytes", "cannot hold"}, [&] { read_idx(path_); });
  // What a gzip file of this size might hold, but does not: noise does not compress.
  std::string noise(1 << 20, '\0');
  for (std::size_t i = 0; i < noise.size(); ++i) {
    noise[i] = static_cast<char>((i * 2654435761U) >> 13 ^ i * i * 40503U >> 7);
  }
  write_gzipped(path_, idx_header(0x08, {100, 1 << 20}) + noise);
  expect_error(ExitCode::kBadData, {"104857600 bytes", "got 1048576"}, [&] { read_idx(path_); });

  rusage after = {};
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 64 * 1024) << "KiB";
}

TEST_F(Idx, NamesAMissingFileADirectoryAndOneWithoutPermission) {
  expect_error(ExitCode::kMissingInput, {"none.idx"}, [&] { read_idx(directory_ / "none.idx"); });
  expect_error(ExitCode::kMissingInput, {"directory"}, [&] { read_idx(directory_.path()); });
  write_bytes(path_, kSmall);
  std::filesystem::permissions(path_, std::filesystem::perms::none);
  const bool root = ::geteuid() == 0;  // who may read everything: become somebody else
  if (root) {
    ASSERT_EQ(::seteuid(65534), 0);
  }
  expect_error(ExitCode::kPermission, {"data.idx"}, [&] { read_idx(path_); });
  if (root) {
    ASSERT_EQ(::seteuid(0), 0);
  }
}

}  // namespace
}  // namespace lockstep
