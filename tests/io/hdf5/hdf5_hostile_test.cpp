#include <sched.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "io/data/dataset_file.hpp"
#include "io/hdf5/hdf5.hpp"
#include "tests/io/hdf5/hdf5_test_files.hpp"
#include "tests/io/io_test_support.hpp"

/// For LeakSanitizer: HDF5 1.10 leaks what it read of a dataset's header when it refuses the rest.
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libhdf5";
}

namespace lockstep {
namespace {

using hdf5::File;
using hdf5::Writer;
using test::add_dataset;
using test::bytes_of;
using test::expect_error;
using test::RawFile;
using test::TemporaryDirectory;
using test::write_bytes;

constexpr ExitCode kBad = ExitCode::kBadData;

/// Silences HDF5 where a test calls it knowing that it fails.
class SilentHdf5 {
 public:
  SilentHdf5() {
    H5Eget_auto2(H5E_DEFAULT, &print_, &data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  ~SilentHdf5() { H5Eset_auto2(H5E_DEFAULT, print_, data_); }
  SilentHdf5(const SilentHdf5&) = delete;
  SilentHdf5& operator=(const SilentHdf5&) = delete;

 private:
  H5E_auto2_t print_ = nullptr;
  void* data_ = nullptr;
};

/// Notices when a file is opened, by whomever.
class OpenWatch {
 public:
  explicit OpenWatch(const std::filesystem::path& path) : inotify_(::inotify_init1(IN_NONBLOCK)) {
    EXPECT_GE(::inotify_add_watch(inotify_, path.c_str(), IN_OPEN), 0);
  }
  ~OpenWatch() { ::close(inotify_); }
  OpenWatch(const OpenWatch&) = delete;
  OpenWatch& operator=(const OpenWatch&) = delete;
  bool opened() {
    char events[4096];
    return ::read(inotify_, events, sizeof events) > 0;
  }

 private:
  int inotify_;
};

std::int64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::int64_t pages = 0;
  statm >> pages >> pages;
  return pages * ::sysconf(_SC_PAGESIZE);
}

template <class T>
std::string raw(std::initializer_list<T> values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), std::data(values), bytes.size());
  return bytes;
}

/// Replaces the one occurrence of `from` in a file.
void replace_bytes(const std::filesystem::path& path, const std::string& from,
                   const std::string& to) {
  std::string bytes = bytes_of(path);
  const std::size_t at = bytes.find(from);
  ASSERT_NE(at, std::string::npos);
  ASSERT_EQ(bytes.find(from, at + 1), std::string::npos) << "the pattern is not unique";
  bytes.replace(at, to.size(), to);
  write_bytes(path, bytes);
}

/// f.h5 with a float32 dataset x of (10, 6) in chunks of (5, 3).
void make_chunked_file(const std::filesystem::path& path) {
  const std::vector<float> values(60, 1.5f);
  const RawFile file(path);
  const hid_t creation = test::chunked({5, 3});
  ASSERT_TRUE(add_dataset(file.id(), "x", H5T_IEEE_F32LE, {10, 6}, H5T_NATIVE_FLOAT, values.data(),
                          creation));
  H5Pclose(creation);
}

TEST(HostileFile, IsRefusedIfItIsMissingADirectoryOrAPipe) {
  TemporaryDirectory directory;
  ASSERT_EQ(::mkfifo((directory / "pipe.h5").c_str(), 0600), 0);

  expect_error(ExitCode::kMissingInput, {"no.h5", "No such file"},
               [&] { File::open(directory / "no.h5"); });
  expect_error(ExitCode::kMissingInput, {"expected a file, got a directory"},
               [&] { File::open(directory.path()); });
  expect_error(ExitCode::kMissingInput, {"regular file"},
               [&] { File::open(directory / "pipe.h5"); });
}

TEST(HostileFile, IsRefusedWithoutPermission) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may read everything";
  TemporaryDirectory directory;
  write_bytes(directory / "f.h5", "x");
  std::filesystem::permissions(directory / "f.h5", std::filesystem::perms::none);
  expect_error(ExitCode::kPermission, {"f.h5"}, [&] { File::open(directory / "f.h5"); });
}

TEST(HostileFile, IsRefusedIfItIsNotHdf5) {
  TemporaryDirectory directory;
  const std::vector<std::string> contents = {"", "x", "epoch,loss\n1,0.5\n",
                                             std::string(100'000, '\0')};
  for (const std::string& content : contents) {
    write_bytes(directory / "f.h5", content);
    const auto image = std::as_bytes(std::span(content));
    expect_error(kBad, {"f.h5", "not an HDF5 file"}, [&] { File::open(directory / "f.h5"); });
    if (!content.empty()) {
      expect_error(kBad, {"name", "not an HDF5 file"}, [&] { File::open_image(image, "name"); });
    }
  }
}

TEST(HostileFile, IsRefusedWhereverItIsTruncated) {
  TemporaryDirectory directory;
  make_chunked_file(directory / "whole.h5");
  const std::string whole = bytes_of(directory / "whole.h5");
  const std::size_t size = whole.size();
  for (const std::size_t length :
       {size - 1, size - 2, size - 100, size - 512, size * 3 / 4, size / 2, size / 4,
        std::size_t{96}, std::size_t{50}, std::size_t{8}}) {
    const std::string part = whole.substr(0, length);
    write_bytes(directory / "f.h5", part);
    expect_error(kBad, {"f.h5"}, [&] { File::open(directory / "f.h5"); });
    expect_error(kBad, {"image"},
                 [&] { File::open_image(std::as_bytes(std::span(part)), "image"); });
  }
}

TEST(HostileFile, TypesThatAreNotNumbersAreNamed) {
  TemporaryDirectory directory;
  {
    const RawFile file(directory / "f.h5");
    const hid_t compound = H5Tcreate(H5T_COMPOUND, 8);
    H5Tinsert(compound, "a", 0, H5T_NATIVE_FLOAT);
    const hid_t sequence = H5Tvlen_create(H5T_NATIVE_INT);
    const hsize_t three = 3;
    const hid_t array = H5Tarray_create2(H5T_NATIVE_INT, 1, &three);
    const hid_t opaque = H5Tcreate(H5T_OPAQUE, 4);
    ASSERT_TRUE(add_dataset(file.id(), "compound", compound, {2}));
    ASSERT_TRUE(add_dataset(file.id(), "sequence", sequence, {2}));
    ASSERT_TRUE(add_dataset(file.id(), "array", array, {2}));
    ASSERT_TRUE(add_dataset(file.id(), "opaque", opaque, {2}));
    ASSERT_TRUE(add_dataset(file.id(), "reference", H5T_STD_REF_OBJ, {2}));
    for (const hid_t type : {compound, sequence, array, opaque}) H5Tclose(type);
  }
  const std::vector<std::pair<std::string, std::string>> types = {
      {"compound", "compound"},
      {"sequence", "variable-length sequence"},
      {"array", "array"},
      {"opaque", "opaque"},
      {"reference", "reference"}};
  const File file = File::open(directory / "f.h5");
  std::vector<std::byte> room(8);
  for (const auto& [name, type] : types) {
    EXPECT_FALSE(file.dataset_info(name).type.has_value()) << name;
    expect_error(kBad, {"f.h5:/" + name, "expected numbers, got type " + type},
                 [&] { DatasetFile(directory / "f.h5", name); });
    expect_error(kBad, {type}, [&] { file.read_rows(name, ElementType::kFloat32, 0, 2, room); });
  }
}

TEST(HostileFile, ExternalLinksAreRefusedWithoutOpeningTheOtherFile) {
  TemporaryDirectory directory;
  {
    const std::vector<float> values = {1, 2, 3};
    const RawFile secret(directory / "secret.h5");
    ASSERT_TRUE(
        add_dataset(secret.id(), "s", H5T_IEEE_F32LE, {3}, H5T_NATIVE_FLOAT, values.data()));
    const RawFile file(directory / "f.h5");
    const std::string target = (directory / "secret.h5").string();
    H5Lcreate_external(target.c_str(), "/s", file.id(), "x", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external(target.c_str(), "/", file.id(), "group", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/x", file.id(), "soft", H5P_DEFAULT, H5P_DEFAULT);
    ASSERT_TRUE(
        add_dataset(file.id(), "own", H5T_IEEE_F32LE, {3}, H5T_NATIVE_FLOAT, values.data()));
    H5Lcreate_soft("/own", file.id(), "inside", H5P_DEFAULT, H5P_DEFAULT);
  }
  OpenWatch watch(directory / "secret.h5");
  const File file = File::open(directory / "f.h5");

  for (const char* path : {"x", "group/s", "soft"}) {
    expect_error(kBad, {"f.h5", "external link to", "secret.h5:/", "--trust-data"},
                 [&] { file.dataset_info(path); });
    expect_error(kBad, {"external link to"}, [&] { file.exists(path); });
    expect_error(kBad, {"external link to"}, [&] { file.read_floats(path, {3}); });
    expect_error(kBad, {"external link to"}, [&] { file.has_attribute(path, "a"); });
  }
  EXPECT_EQ(file.datasets(), std::vector<std::string>{"/own"});
  EXPECT_EQ(file.read_floats("inside", {3}), (std::vector<float>{1, 2, 3}));
  EXPECT_FALSE(watch.opened());

  const File trusted = File::open(directory / "f.h5", true);
  EXPECT_EQ(trusted.read_floats("soft", {3}), (std::vector<float>{1, 2, 3}));
  EXPECT_TRUE(watch.opened());
}

TEST(HostileFile, ExternalStorageIsRefusedWithoutOpeningIt) {
  TemporaryDirectory directory;
  const std::vector<float> values = {1, 2, 3};
  write_bytes(directory / "secret.bin", raw({1.0f, 2.0f, 3.0f}));
  {
    const RawFile file(directory / "f.h5");
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(creation, (directory / "secret.bin").c_str(), 0, 12);
    ASSERT_TRUE(add_dataset(file.id(), "x", H5T_IEEE_F32LE, {3}, -1, nullptr, creation));
    H5Pclose(creation);
  }
  OpenWatch watch(directory / "secret.bin");

  expect_error(kBad, {"f.h5:/x", "external storage in", "secret.bin", "--trust-data"},
               [&] { File::open(directory / "f.h5").dataset_info("x"); });
  expect_error(kBad, {"external storage"},
               [&] { File::open(directory / "f.h5").read_floats("x", {3}); });
  EXPECT_FALSE(watch.opened());

  EXPECT_EQ(File::open(directory / "f.h5", true).read_floats("x", {3}), values);
  EXPECT_TRUE(watch.opened());
}

/// A virtual dataset x of 3 rows that shows dataset `source` of `source_file`.
void add_virtual(hid_t file, const char* name, const char* source_file, const char* source) {
  const hsize_t three = 3;
  const hid_t space = H5Screate_simple(1, &three, nullptr);
  const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
  ASSERT_GE(H5Pset_virtual(creation, space, source_file, source, space), 0);
  ASSERT_TRUE(add_dataset(file, name, H5T_IEEE_F32LE, {3}, -1, nullptr, creation));
  H5Pclose(creation);
  H5Sclose(space);
}

TEST(HostileFile, VirtualDatasetsMayNotReachAnotherFile) {
  TemporaryDirectory directory;
  const std::vector<float> values = {1, 2, 3};
  {
    const RawFile secret(directory / "secret.h5");
    ASSERT_TRUE(
        add_dataset(secret.id(), "s", H5T_IEEE_F32LE, {3}, H5T_NATIVE_FLOAT, values.data()));
    const RawFile file(directory / "f.h5");
    ASSERT_TRUE(
        add_dataset(file.id(), "own", H5T_IEEE_F32LE, {3}, H5T_NATIVE_FLOAT, values.data()));
    H5Lcreate_external((directory / "secret.h5").c_str(), "/s", file.id(), "link", H5P_DEFAULT,
                       H5P_DEFAULT);
    add_virtual(file.id(), "outside", (directory / "secret.h5").c_str(), "/s");
    add_virtual(file.id(), "inside", ".", "/own");
    add_virtual(file.id(), "through-link", ".", "/link");
    add_virtual(file.id(), "circle", ".", "/circle");
    add_virtual(file.id(), "absent", ".", "/nothing");
  }
  OpenWatch watch(directory / "secret.h5");
  const File file = File::open(directory / "f.h5");

  EXPECT_EQ(file.read_floats("inside", {3}), values);
  expect_error(kBad, {"f.h5:/outside", "virtual dataset that reaches", "secret.h5", "--trust-data"},
               [&] { file.dataset_info("outside"); });
  expect_error(kBad, {"external link"}, [&] { file.read_floats("through-link", {3}); });
  expect_error(kBad, {"virtual datasets"}, [&] { file.read_floats("circle", {3}); });
  expect_error(kBad, {"f.h5:/nothing"}, [&] { file.read_floats("absent", {3}); });
  EXPECT_FALSE(watch.opened());

  EXPECT_EQ(File::open(directory / "f.h5", true).read_floats("outside", {3}), values);
  EXPECT_TRUE(watch.opened());
}

/// Stands for a filter that the writer had and the reader has not.
std::size_t copy_filter(unsigned, std::size_t, const unsigned*, std::size_t bytes, std::size_t*,
                        void**) {
  return bytes;
}

TEST(HostileFile, UnknownFiltersAreRefusedAndNoPluginIsLoaded) {
  constexpr H5Z_filter_t kFilter = 32123;
  TemporaryDirectory directory;
  {
    const H5Z_class2_t filter = {H5Z_CLASS_T_VERS, kFilter, 1,       1,
                                 "odd one",        nullptr, nullptr, copy_filter};
    ASSERT_GE(H5Zregister(&filter), 0);
    const std::vector<float> values(6, 1);
    const RawFile file(directory / "f.h5");
    const hid_t creation = test::chunked({3});
    H5Pset_filter(creation, kFilter, 0, 0, nullptr);
    ASSERT_TRUE(add_dataset(file.id(), "x", H5T_IEEE_F32LE, {6}, H5T_NATIVE_FLOAT, values.data(),
                            creation));
    H5Pclose(creation);
  }
  ASSERT_GE(H5Zunregister(kFilter), 0);
  std::filesystem::create_directory(directory / "plugins");
  write_bytes(directory / "plugins/libmarker.so", "no library at all");
  ASSERT_GE(H5PLprepend((directory / "plugins").c_str()), 0);
  OpenWatch watch(directory / "plugins/libmarker.so");

  const File file = File::open(directory / "f.h5");
  expect_error(kBad, {"f.h5:/x", "32123 'odd one'", "needs a plugin", "--trust-data"},
               [&] { file.dataset_info("x"); });
  expect_error(kBad, {"32123"}, [&] { file.read_floats("x", {6}); });
  EXPECT_FALSE(watch.opened());

  const File trusted = File::open(directory / "f.h5", true);  // then HDF5 may look for it
  expect_error(kBad, {"f.h5:/x", "32123 'odd one'", "HDF5_PLUGIN_PATH"},
               [&] { trusted.dataset_info("x"); });
  EXPECT_TRUE(watch.opened());
  H5PLremove(0);
}

TEST(HostileFile, AFlippedByteUnderAChecksumIsFound) {
  TemporaryDirectory directory;
  {
    const std::vector<std::int32_t> values = {1001, 1002, 1003, 1004, 1005, 1006};
    const RawFile file(directory / "f.h5");
    const hid_t creation = test::chunked({3, 2});
    H5Pset_fletcher32(creation);
    ASSERT_TRUE(add_dataset(file.id(), "x", H5T_STD_I32LE, {3, 2}, H5T_NATIVE_INT32, values.data(),
                            creation));
    H5Pclose(creation);
  }
  replace_bytes(directory / "f.h5", raw({1003, 1004}), raw({1003, 1005}));

  const DatasetFile file(directory / "f.h5", "x");
  std::vector<std::int32_t> room(6);

  expect_error(kBad, {"f.h5:/x", "damaged"}, [&] { file.read(0, 3, test::writable_bytes(room)); });
}

TEST(HostileFile, ExtentsWhoseProductOverflowsAreRefused) {
  TemporaryDirectory directory;
  using Extent = std::uint64_t;
  for (const auto& [rows, columns] : {std::pair<Extent, Extent>{1ULL << 40, 1ULL << 40},
                                      {1ULL << 62, 2},
                                      {1ULL << 63, 6},
                                      {~0ULL, ~0ULL},
                                      {1ULL << 61, 1}}) {
    make_chunked_file(directory / "f.h5");
    // extents and largest extents
    const Extent ten = 10;
    replace_bytes(directory / "f.h5", raw({ten, Extent{6}, ten, Extent{6}}),
                  raw({rows, columns, rows, columns}));
    const File file = File::open(directory / "f.h5");
    expect_error(kBad, {"f.h5:/x"}, [&] { file.dataset_info("x"); });
    expect_error(kBad, {"f.h5:/x"}, [&] { file.read_floats("x", {10, 6}); });
  }
}

TEST(HostileFile, ShapeBombsAreRefusedBeforeMemoryIsTaken) {
  TemporaryDirectory directory;
  {
    const RawFile file(directory / "f.h5");
    ASSERT_TRUE(add_dataset(file.id(), "contiguous", H5T_IEEE_F32LE, {1'000'000, 1'000'000}));
    ASSERT_TRUE(add_dataset(file.id(), "almost4g", H5T_STD_U8LE, {4294967292}));
    const hid_t creation = test::chunked({1000, 1000});
    H5Pset_deflate(creation, 6);
    ASSERT_TRUE(add_dataset(file.id(), "chunked", H5T_IEEE_F32LE, {1'000'000, 1'000'000}, -1,
                            nullptr, creation));
    H5Pclose(creation);
    const hid_t big = test::chunked({4294967292});
    ASSERT_TRUE(add_dataset(file.id(), "chunk4g", H5T_STD_U8LE, {4294967292}, -1, nullptr, big));
    H5Pclose(big);
  }
  const File file = File::open(directory / "f.h5");
  const std::int64_t before = resident_bytes();

  for (const char* name : {"contiguous", "almost4g", "chunked"}) {
    expect_error(kBad, {std::string("f.h5:/") + name, "got 0 stored"},
                 [&] { DatasetFile(directory / "f.h5", name); });
  }
  expect_error(kBad, {"f.h5:/chunk4g", "at most 2 GiB"}, [&] { file.dataset_info("chunk4g"); });
  expect_error(kBad, {"f.h5:/chunked"}, [&] {
    file.read_floats("chunked", {1'000'000, 1'000'000});
  });
  EXPECT_LT(resident_bytes() - before, 64 << 20);
}

TEST(HostileFile, AModestDatasetOfFillValuesAndADenseOneAreFine) {
  TemporaryDirectory directory;
  const std::int64_t rows = 100'000'000;
  {
    const RawFile file(directory / "f.h5");
    ASSERT_TRUE(add_dataset(file.id(), "fill", H5T_IEEE_F32LE, {1000, 1000}));
  }
  Writer writer = Writer::create(directory / "zeros.h5");
  writer.create_dataset("x", ElementType::kUint8, {rows}, 10'000'000, 9);
  const std::vector<std::byte> zeros(10'000'000);
  for (std::int64_t first = 0; first < rows; first += 10'000'000) {
    writer.write_rows("x", ElementType::kUint8, first, 10'000'000, zeros);
  }
  writer.close();

  EXPECT_EQ(File::open(directory / "f.h5").read_floats("fill", {1000, 1000}),
            std::vector<float>(1'000'000));
  EXPECT_LT(std::filesystem::file_size(directory / "zeros.h5"), 200'000u);
  EXPECT_EQ(DatasetFile(directory / "zeros.h5", "x").rows(), rows);
}

TEST(HostileFile, ChunksOfAnotherRankThanTheDatasetAreRefused) {
  // The layout message: version 3, class chunked, axes + 1, address, chunk extents, element size.
  TemporaryDirectory directory;
  const std::string chunk = raw<std::uint32_t>({5, 3, 4});
  for (const char axes_plus_one : {'\x02', '\x04', '\x00', '\x21'}) {
    make_chunked_file(directory / "f.h5");
    std::string bytes = bytes_of(directory / "f.h5");
    const std::size_t at = bytes.find(chunk);
    ASSERT_EQ(bytes.substr(at - 11, 3), std::string("\x03\x02\x03"));
    bytes[at - 9] = axes_plus_one;
    write_bytes(directory / "f.h5", bytes);
    const File file = File::open(directory / "f.h5");

    expect_error(kBad, {"f.h5:/x"}, [&] { file.dataset_info("x"); });
    expect_error(kBad, {"f.h5:/x"}, [&] { file.read_floats("x", {10, 6}); });
  }
}

TEST(HostileFile, ImpossibleChunkExtentsAreRefused) {
  TemporaryDirectory directory;
  for (const auto& chunk :
       {raw<std::uint32_t>({0, 3, 4}), raw<std::uint32_t>({1 << 17, 1 << 14, 4}),
        raw<std::uint32_t>({1U << 31, 1U << 31, 4})}) {
    make_chunked_file(directory / "f.h5");
    replace_bytes(directory / "f.h5", raw<std::uint32_t>({5, 3, 4}), chunk);
    const File file = File::open(directory / "f.h5");
    expect_error(kBad, {"f.h5:/x"}, [&] { file.dataset_info("x"); });
  }
}

TEST(HostileFile, ContiguousStorageOutsideTheFileIsRefused) {
  TemporaryDirectory directory;
  const std::vector<float> values(60, 2.5f);
  {
    const RawFile file(directory / "f.h5");
    ASSERT_TRUE(add_dataset(file.id(), "x", H5T_IEEE_F32LE, {60}, H5T_NATIVE_FLOAT, values.data()));
  }
  std::string bytes = bytes_of(directory / "f.h5");
  // The layout message: version 3, class contiguous, address, size.
  const std::size_t size_at = bytes.find(raw<std::uint64_t>({240}), bytes.find("\x03\x01"));
  ASSERT_NE(size_at, std::string::npos);
  const auto with_size = [&](std::uint64_t size) {
    std::string changed = bytes;
    changed.replace(size_at, 8, raw({size}));
    write_bytes(directory / "f.h5", changed);
  };

  with_size(std::uint64_t{1} << 40);
  expect_error(kBad, {"f.h5:/x"}, [&] { DatasetFile(directory / "f.h5", "x"); });
  with_size(8);
  expect_error(kBad, {"f.h5:/x"}, [&] { DatasetFile(directory / "f.h5", "x"); });
}

TEST(HostileFile, ANullDataspaceIsRefused) {
  TemporaryDirectory directory;
  {
    const RawFile file(directory / "f.h5");
    const hid_t space = H5Screate(H5S_NULL);
    H5Dclose(
        H5Dcreate2(file.id(), "x", H5T_IEEE_F32LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Sclose(space);
  }
  expect_error(kBad, {"f.h5:/x", "null dataspace"},
               [&] { File::open(directory / "f.h5").dataset_info("x"); });
}

TEST(HostileFile, GroupsThatContainThemselvesAndOddNamesAreListed) {
  TemporaryDirectory directory;
  {
    const RawFile file(directory / "f.h5");
    const hid_t group = H5Gcreate2(file.id(), "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_hard(file.id(), "/", group, "root-again", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/loop", file.id(), "loop", H5P_DEFAULT, H5P_DEFAULT);
    H5Gclose(group);
    ASSERT_TRUE(add_dataset(file.id(), "red\x1b[31m", H5T_IEEE_F32LE, {1}));
  }
  const File file = File::open(directory / "f.h5");

  EXPECT_EQ(file.datasets(), std::vector<std::string>{"/red\x1b[31m"});
  expect_error(kBad, {"/red\\x1b[31m"}, [&] { file.dataset_info("absent"); });
  expect_error(kBad, {"f.h5:/loop"}, [&] { file.dataset_info("loop"); });
}

/// Mounts a disk of 1 MiB that only this process sees, as the user it is.
bool mount_small_disk(const std::filesystem::path& mount_point) {
  const std::string user = std::to_string(::geteuid());
  const std::string group = std::to_string(::getegid());
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
  write_bytes("/proc/self/setgroups", "deny");
  write_bytes("/proc/self/uid_map", "0 " + user + " 1");
  write_bytes("/proc/self/gid_map", "0 " + group + " 1");
  return ::mount("none", mount_point.c_str(), "tmpfs", 0, "size=1m") == 0;
}

/// Whether `write` throws the Error of a full disk.
template <class Function>
bool meets_full_disk(Function&& write) {
  try {
    write();
  } catch (const Error& error) {
    return error.code() == ExitCode::kInputOutput &&
           std::string_view(error.what()).ends_with(": No space left on device");
  }
  return false;
}

void add_groups(Writer& writer) {  // metadata that waits to be written
  for (int i = 0; i < 200; ++i) writer.create_group("/group" + std::to_string(i));
}

/// 0: as expected; the writers' destructors have run, HDF5's exit handler has not.
int write_to_full_disk(const std::filesystem::path& disk) {
  const bool rows_fail = meets_full_disk([&] {
    Writer writer = Writer::create(disk / "rows.h5");
    add_groups(writer);
    writer.create_dataset("x", ElementType::kUint8, {2'000'000});
    writer.write_rows("x", ElementType::kUint8, 0, 2'000'000, std::vector<std::byte>(2'000'000));
  });
  std::filesystem::remove(disk / "rows.h5");
  const bool close_fails = meets_full_disk([&] {
    Writer writer = Writer::create(disk / "close.h5");
    add_groups(writer);
    write_bytes(disk / "filler", std::string(2'000'000, 'x'));
    writer.close();
  });
  return (rows_fail ? 0 : 1) + (close_fails ? 0 : 2);
}

TEST(HostileFile, AFullDiskIsReportedAndHdf5DoesNotCrashAtExit) {
  TemporaryDirectory directory;
  const pid_t child = ::fork();
  if (child == 0) {  // exit() runs HDF5's handler
    std::exit(mount_small_disk(directory.path()) ? write_to_full_disk(directory.path()) : 77);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "no mount namespaces here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace lockstep
