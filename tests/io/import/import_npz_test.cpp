#include <zip.h>

#include "io/import/import.hpp"
#include "tests/io/io_test_support.hpp"

namespace lockstep {
namespace {

using namespace std::string_literals;
using test::expect_error;
using test::TemporaryDirectory;
using testing::ElementsAre;

constexpr ExitCode kBad = ExitCode::kBadData;

/// A .npy file of int32 numbers.
std::string npy_of(const std::vector<std::int32_t>& values, const std::string& shape) {
  std::string header = "{'descr': '<i4', 'fortran_order': False, 'shape': " + shape + ", }";
  header += std::string(128 - 10 - 1 - header.size(), ' ') + '\n';
  std::string bytes = "\x93NUMPY\x01\0"s + static_cast<char>(header.size()) + '\0' + header;
  return bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * 4);
}

struct Member {
  std::string name;
  std::string bytes;
  bool deflated = false;
};

void write_npz(const std::filesystem::path& path, const std::vector<Member>& members) {
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
  ASSERT_NE(archive, nullptr);
  for (const Member& member : members) {
    zip_source_t* source = zip_source_buffer(archive, member.bytes.data(), member.bytes.size(), 0);
    const zip_int64_t index = zip_file_add(archive, member.name.c_str(), source, 0);
    zip_set_file_compression(archive, static_cast<zip_uint64_t>(index),
                             member.deflated ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0);
  }
  ASSERT_EQ(zip_close(archive), 0);
}

std::vector<std::int32_t> numbers(const Array& array) {
  const auto* values = reinterpret_cast<const std::int32_t*>(array.bytes.data());
  return {values, values + array.bytes.size() / sizeof *values};
}

TEST(Npz, ReadsStoredAndDeflatedMembersByName) {
  TemporaryDirectory directory;
  std::vector<std::int32_t> many(1'000'000);
  for (std::size_t i = 0; i < many.size(); ++i) many[i] = static_cast<std::int32_t>(i % 100);
  write_npz(directory / "a.npz", {{"x_train.npy", npy_of({1, 2, 3, 4, 5, 6}, "(3, 2)"), false},
                                  {"y.npy", npy_of({7, 8, 9}, "(3,)"), true},
                                  {"many.npy", npy_of(many, "(1000, 1000)"), true},
                                  {"readme.txt", "hello", false}});
  const NpzFile file(directory / "a.npz");
  EXPECT_THAT(file.names(), ElementsAre("x_train", "y", "many"));
  const Array x = file.read("x_train");
  EXPECT_EQ(x.rows, 3);
  EXPECT_EQ(x.row_shape, Shape{2});
  EXPECT_THAT(numbers(x), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(numbers(file.read("y")), ElementsAre(7, 8, 9));
  EXPECT_EQ(numbers(file.read("many")), many);
}

TEST(Npz, RefusesWhatIsNoArchiveOfArrays) {
  TemporaryDirectory directory;
  test::write_bytes(directory / "a.npz", npy_of({1}, "(1,)"));
  expect_error(kBad, {"a.npz", "got a NumPy array (.npy)"}, [&] { NpzFile(directory / "a.npz"); });
  write_npz(directory / "b.npz", {{"data.csv", "a,b\n", false}});
  expect_error(kBad, {"b.npz", "members that end in .npy"}, [&] { NpzFile(directory / "b.npz"); });
  expect_error(ExitCode::kMissingInput, {"no.npz"}, [&] { NpzFile(directory / "no.npz"); });
  expect_error(kBad, {"b.npz", "a NumPy file", "zip archive"},
               [&] { read_npy(directory / "b.npz"); });
}

TEST(Npz, NamesTheArraysIfOneIsAbsent) {
  TemporaryDirectory directory;
  write_npz(directory / "a.npz", {{"x.npy", npy_of({1}, "(1,)"), false}});
  expect_error(kBad, {"a.npz", "one of its arrays x", "'y'"},
               [&] { NpzFile(directory / "a.npz").read("y"); });
}

TEST(Npz, FindsDamageInEveryMember) {
  TemporaryDirectory directory;
  const std::string npy = npy_of({1001, 1002, 1003, 1004}, "(4,)");
  write_npz(directory / "a.npz", {{"x.npy", npy, false}});
  std::string bytes = test::bytes_of(directory / "a.npz");
  const std::string whole = bytes;
  bytes[bytes.find("\xeb\x03"s)] = '\x11';  // of 1003
  test::write_bytes(directory / "a.npz", bytes);
  expect_error(kBad, {"a.npz: x.npy", "damaged"}, [&] { NpzFile(directory / "a.npz").read("x"); });
  test::write_bytes(directory / "a.npz", whole.substr(0, whole.size() - 30));
  expect_error(kBad, {"a.npz"}, [&] { NpzFile(directory / "a.npz"); });
}

TEST(Npz, BelievesNoShapeThatTheMemberCannotHold) {
  TemporaryDirectory directory;
  write_npz(directory / "a.npz", {{"x.npy", npy_of({1, 2}, "(1000000, 1000000)"), true},
                                  {"none.npy", npy_of({}, "(0, 5)"), false},
                                  {"text.npy", "\x93NUMPY no", false}});
  const NpzFile file(directory / "a.npz");
  expect_error(kBad, {"a.npz: x.npy", "expected 4000000000000 bytes", "got 8"},
               [&] { file.read("x"); });
  expect_error(kBad, {"a.npz: none.npy", "at least one number"}, [&] { file.read("none"); });
  expect_error(kBad, {"a.npz: text.npy"}, [&] { file.read("text"); });
}

}  // namespace
}  // namespace lockstep
