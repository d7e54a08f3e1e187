#include "io/data/dataset_file.hpp"
#include "io/hdf5/hdf5.hpp"
#include "tests/io/hdf5/hdf5_test_files.hpp"
#include "tests/io/io_test_support.hpp"

/// Data that lie in other files than the one that was named, or nowhere.
namespace lockstep {
namespace {

using test::add_dataset;
using test::expect_error;
using test::RawFile;
using test::TemporaryDirectory;
using test::write_bytes;

constexpr ExitCode kBad = ExitCode::kBadData;

/// FILE:/s, float32 0, 1, ..., rows - 1.
void make_source(const std::filesystem::path& path, std::size_t rows) {
  std::vector<float> values(rows);
  for (std::size_t i = 0; i < rows; ++i) values[i] = static_cast<float>(i);
  const RawFile file(path);
  ASSERT_TRUE(add_dataset(file.id(), "s", H5T_IEEE_F32LE, {rows}, H5T_NATIVE_FLOAT, values.data()));
}

/// One mapping: rows [at, at + rows) of the virtual dataset from the first rows of a source.
struct Mapped {
  std::string file;
  hsize_t at;
  hsize_t rows;
};

/// FILE:/x of so many rows, mapped so.
void make_virtual(const std::filesystem::path& path, hsize_t rows,
                  const std::vector<Mapped>& parts) {
  const RawFile file(path);
  const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
  for (const Mapped& part : parts) {
    const hid_t target = H5Screate_simple(1, &rows, nullptr);
    const hid_t source = H5Screate_simple(1, &part.rows, nullptr);
    H5Sselect_hyperslab(target, H5S_SELECT_SET, &part.at, nullptr, &part.rows, nullptr);
    ASSERT_GE(H5Pset_virtual(creation, target, part.file.c_str(), "/s", source), 0);
    H5Sclose(target);
    H5Sclose(source);
  }
  ASSERT_TRUE(add_dataset(file.id(), "x", H5T_IEEE_F32LE, {rows}, -1, nullptr, creation));
  H5Pclose(creation);
}

std::vector<float> rows_of(const std::filesystem::path& path, bool trust = true) {
  const DatasetFile file(path, "x", trust);
  std::vector<float> values(static_cast<std::size_t>(file.rows()));
  file.read(0, file.rows(), test::writable_bytes(values));
  return values;
}

TEST(Sources, OfAVirtualDatasetAreReadWhereTheyLie) {
  TemporaryDirectory directory;
  make_source(directory / "a.h5", 3);
  make_source(directory / "b.h5", 2);
  make_virtual(directory / "v.h5", 5, {{"a.h5", 0, 3}, {"b.h5", 3, 2}});

  EXPECT_EQ(rows_of(directory / "v.h5"), (std::vector<float>{0, 1, 2, 0, 1}));
  expect_error(kBad, {"virtual dataset that reaches a.h5", "--trust-data"},
               [&] { rows_of(directory / "v.h5", false); });
}

TEST(Sources, ThatAreGoneAreNamedAndNeverReadAsZeros) {
  TemporaryDirectory directory;
  make_source(directory / "a.h5", 3);
  make_source(directory / "b.h5", 2);
  make_virtual(directory / "v.h5", 5, {{"a.h5", 0, 3}, {"b.h5", 3, 2}});

  std::filesystem::remove(directory / "b.h5");
  expect_error(kBad, {"v.h5:/x", "expected the file b.h5", "got no such file", "HDF5_VDS_PREFIX"},
               [&] { rows_of(directory / "v.h5"); });
  write_bytes(directory / "b.h5", "version https://git-lfs.github.com/spec/v1\n");
  expect_error(kBad, {"v.h5:/x", "b.h5", "git-lfs pointer"}, [&] { rows_of(directory / "v.h5"); });
  { const RawFile empty(directory / "b.h5"); }
  expect_error(kBad, {"b.h5:/s", "got none"}, [&] { rows_of(directory / "v.h5"); });
}

TEST(Sources, ThatAreShorterThanTheirMappingAreRefused) {
  TemporaryDirectory directory;
  make_source(directory / "a.h5", 2);
  make_virtual(directory / "v.h5", 3, {{"a.h5", 0, 3}});
  expect_error(kBad, {"v.h5:/x", "3 elements in", "a.h5:/s", "got shape (2)"},
               [&] { rows_of(directory / "v.h5"); });
}

TEST(Sources, ThatEndBeforeAMappedBlockAreRefused) {
  TemporaryDirectory directory;
  make_source(directory / "a.h5", 8);
  {
    const RawFile file(directory / "v.h5");
    const hsize_t eight = 8;
    const hsize_t three = 3;
    const hsize_t five = 5;
    const hid_t target = H5Screate_simple(1, &three, nullptr);
    const hid_t source = H5Screate_simple(1, &eight, nullptr);
    H5Sselect_hyperslab(source, H5S_SELECT_SET, &five, nullptr, &three, nullptr);
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    ASSERT_GE(H5Pset_virtual(creation, target, "a.h5", "/s", source), 0);
    ASSERT_TRUE(add_dataset(file.id(), "x", H5T_IEEE_F32LE, {3}, -1, nullptr, creation));
    H5Pclose(creation);
    H5Sclose(source);
    H5Sclose(target);
  }
  EXPECT_EQ(rows_of(directory / "v.h5"), (std::vector<float>{5, 6, 7}));
  make_source(directory / "a.h5", 6);
  expect_error(kBad, {"v.h5:/x", "a.h5:/s", "at least (8)", "got (6)"},
               [&] { rows_of(directory / "v.h5"); });
}

TEST(Sources, MustCoverTheWhole) {
  TemporaryDirectory directory;
  make_source(directory / "a.h5", 3);
  make_source(directory / "b.h5", 2);
  make_virtual(directory / "gap.h5", 5, {{"a.h5", 0, 3}});
  make_virtual(directory / "overlap.h5", 5, {{"a.h5", 0, 3}, {"b.h5", 1, 2}});
  for (const char* name : {"gap.h5", "overlap.h5"})
    expect_error(kBad, {name, "all of its 5 elements, got 3"}, [&] { rows_of(directory / name); });
}

TEST(Sources, MustCoverTheWholeWithinOneFile) {
  TemporaryDirectory directory;
  make_source(directory / "v.h5", 3);
  const hid_t file = H5Fopen((directory / "v.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  const hsize_t three = 3;
  const hsize_t five = 5;
  const hsize_t zero = 0;
  const hid_t target = H5Screate_simple(1, &five, nullptr);
  const hid_t source = H5Screate_simple(1, &three, nullptr);
  H5Sselect_hyperslab(target, H5S_SELECT_SET, &zero, nullptr, &three, nullptr);
  const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_virtual(creation, target, ".", "/s", source);
  ASSERT_TRUE(add_dataset(file, "x", H5T_IEEE_F32LE, {5}, -1, nullptr, creation));
  H5Pclose(creation);
  H5Sclose(source);
  H5Sclose(target);
  H5Fclose(file);
  expect_error(kBad, {"v.h5:/x", "all of its 5 elements, got 3"},
               [&] { rows_of(directory / "v.h5", false); });
}

TEST(Sources, MayBeNumberedAndMustAllBeThere) {
  TemporaryDirectory directory;
  make_source(directory / "part-0.h5", 2);
  make_source(directory / "part-1.h5", 2);
  {
    const RawFile file(directory / "v.h5");
    const hsize_t four = 4;
    const hsize_t two = 2;
    const hsize_t zero = 0;
    const hsize_t endless = H5S_UNLIMITED;
    const hid_t target = H5Screate_simple(1, &four, &endless);
    H5Sselect_hyperslab(target, H5S_SELECT_SET, &zero, &two, &endless, &two);
    const hid_t source = H5Screate_simple(1, &two, nullptr);
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    ASSERT_GE(H5Pset_virtual(creation, target, "part-%b.h5", "/s", source), 0);
    const hid_t space = H5Screate_simple(1, &four, &endless);
    const hid_t dataset =
        H5Dcreate2(file.id(), "x", H5T_IEEE_F32LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    ASSERT_GE(dataset, 0);
    H5Dclose(dataset);
    for (const hid_t id : {target, source, space}) H5Sclose(id);
    H5Pclose(creation);
  }
  EXPECT_EQ(rows_of(directory / "v.h5"), (std::vector<float>{0, 1, 0, 1}));
}

TEST(Sources, OfAnExternalLinkMayBeLargerThanTheFileWithTheLink) {
  TemporaryDirectory directory;
  make_source(directory / "big.h5", 100'000);
  {
    const RawFile file(directory / "f.h5");
    H5Lcreate_external("big.h5", "/s", file.id(), "x", H5P_DEFAULT, H5P_DEFAULT);
  }
  EXPECT_EQ(rows_of(directory / "f.h5").size(), 100'000u);
  std::filesystem::remove(directory / "big.h5");
  expect_error(kBad, {"f.h5:/x", "external link to big.h5:/s, which is not there"},
               [&] { rows_of(directory / "f.h5"); });
}

TEST(Sources, ASoftLinkToNothingIsNamed) {
  TemporaryDirectory directory;
  {
    const RawFile file(directory / "f.h5");
    H5Lcreate_soft("/gone", file.id(), "x", H5P_DEFAULT, H5P_DEFAULT);
  }
  expect_error(kBad, {"f.h5:/x", "soft link to /gone"}, [&] { rows_of(directory / "f.h5"); });
}

TEST(Sources, OfExternalStorageMustBeThereAndLongEnough) {
  TemporaryDirectory directory;
  const std::string raw = (directory / "raw.bin").string();
  {
    const RawFile file(directory / "f.h5");
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(creation, raw.c_str(), 4, 12);
    ASSERT_TRUE(add_dataset(file.id(), "x", H5T_IEEE_F32LE, {3}, -1, nullptr, creation));
    H5Pclose(creation);
  }
  expect_error(ExitCode::kMissingInput, {"f.h5:/x", "raw.bin", "got none"},
               [&] { rows_of(directory / "f.h5"); });
  write_bytes(raw, std::string(12, '\0'));
  expect_error(kBad, {"f.h5:/x", "12 bytes from byte 4", "raw.bin", "12 bytes"},
               [&] { rows_of(directory / "f.h5"); });
  write_bytes(raw, std::string(16, '\0'));
  EXPECT_EQ(rows_of(directory / "f.h5"), (std::vector<float>{0, 0, 0}));
}

TEST(Sources, RowsThatWereNeverWrittenAreRefused) {
  TemporaryDirectory directory;
  const std::vector<float> values(4, 1.5F);
  {
    const RawFile file(directory / "f.h5");
    ASSERT_TRUE(add_dataset(file.id(), "none", H5T_IEEE_F32LE, {10, 2}));
    const hid_t creation = test::chunked({2});
    const float seven = 7;
    H5Pset_fill_value(creation, H5T_NATIVE_FLOAT, &seven);
    const hsize_t rows = 8;
    const hid_t space = H5Screate_simple(1, &rows, nullptr);
    const hid_t dataset =
        H5Dcreate2(file.id(), "some", H5T_IEEE_F32LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    const hsize_t four = 4;
    const hsize_t zero = 0;
    const hid_t memory = H5Screate_simple(1, &four, nullptr);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, &zero, nullptr, &four, nullptr);
    H5Dwrite(dataset, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, values.data());
    H5Dclose(dataset);
    for (const hid_t id : {memory, space}) H5Sclose(id);
    H5Pclose(creation);
    const hid_t deflated = test::chunked({5, 2});
    H5Pset_deflate(deflated, 1);
    ASSERT_TRUE(add_dataset(file.id(), "no-chunk", H5T_STD_I32LE, {10, 2}, -1, nullptr, deflated));
    H5Pclose(deflated);
  }
  expect_error(kBad, {"f.h5:/none", "none of its rows were ever written", "--trust-data"},
               [&] { DatasetFile(directory / "f.h5", "none"); });
  expect_error(kBad, {"f.h5:/some", "2 of its 4 chunks were never written", "row 4", "value 7"},
               [&] { DatasetFile(directory / "f.h5", "some"); });
  expect_error(kBad, {"f.h5:/no-chunk", "2 of its 2 chunks"},
               [&] { DatasetFile(directory / "f.h5", "no-chunk"); });
  const DatasetFile trusted(directory / "f.h5", "some", true);
  EXPECT_THAT(trusted.notes(), testing::ElementsAre(testing::HasSubstr("never written")));
}

}  // namespace
}  // namespace lockstep
