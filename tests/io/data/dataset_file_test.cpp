#include "io/data/dataset_file.hpp"

#include "io/hdf5/hdf5.hpp"
#include "tests/io/hdf5/hdf5_test_files.hpp"
#include "tests/io/io_test_support.hpp"

namespace lockstep {
namespace {

using test::expect_error;
using test::TemporaryDirectory;

TEST(DatasetFile, DescribesAndReadsRows) {
  TemporaryDirectory directory;
  std::vector<std::uint16_t> values(7 * 3 * 2);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::uint16_t>(i * 3);
  {
    const test::RawFile raw(directory / "d.h5");
    ASSERT_TRUE(test::add_dataset(raw.id(), "x_train", H5T_STD_U16BE, {7, 3, 2}, H5T_NATIVE_UINT16,
                                  values.data()));
  }

  const DatasetFile file(directory / "d.h5", "x_train");
  std::vector<std::uint16_t> rows(3 * 6);
  file.read(2, 3, test::writable_bytes(rows));

  EXPECT_EQ(file.type(), ElementType::kUint16);
  EXPECT_EQ(file.rows(), 7);
  EXPECT_EQ(file.row_shape(), (Shape{3, 2}));
  EXPECT_EQ(file.row_bytes(), 12u);
  EXPECT_EQ(file.label(), (directory / "d.h5").string() + ":/x_train");
  EXPECT_EQ(rows, std::vector<std::uint16_t>(values.begin() + 12, values.begin() + 30));
}

TEST(DatasetFile, RowsOfOneNumberHaveAnEmptyShape) {
  TemporaryDirectory directory;
  hdf5::Writer writer = hdf5::Writer::create(directory / "d.h5");
  writer.write_floats("/deep/y", {5}, std::vector<float>{1, 2, 3, 4, 5});
  writer.close();

  const DatasetFile file(directory / "d.h5", "/deep/y");
  std::vector<float> rows(2);
  file.read(3, 2, test::writable_bytes(rows));

  EXPECT_EQ(file.row_shape(), Shape{});
  EXPECT_EQ(file.row_bytes(), 4u);
  EXPECT_EQ(file.label(), (directory / "d.h5").string() + ":/deep/y");
  EXPECT_EQ(rows, (std::vector<float>{4, 5}));
}

TEST(DatasetFile, RefusesScalarsAndNoRows) {
  TemporaryDirectory directory;
  hdf5::Writer writer = hdf5::Writer::create(directory / "d.h5");
  writer.write_integer("scalar", 1);
  writer.create_dataset("none", ElementType::kFloat32, {0, 784});
  writer.close();

  expect_error(ExitCode::kBadData, {"d.h5:/scalar", "got a scalar"},
               [&] { DatasetFile(directory / "d.h5", "scalar"); });
  expect_error(ExitCode::kBadData, {"d.h5:/none", "at least one row", "(0, 784)"},
               [&] { DatasetFile(directory / "d.h5", "none"); });
}

TEST(DatasetFile, RefusesAbsentNamesAndFiles) {
  TemporaryDirectory directory;
  hdf5::Writer writer = hdf5::Writer::create(directory / "d.h5");
  writer.write_floats("images", {1}, std::vector<float>(1));
  writer.close();

  expect_error(ExitCode::kBadData, {"d.h5:/x_train", "/images"},
               [&] { DatasetFile(directory / "d.h5", "x_train"); });
  expect_error(ExitCode::kMissingInput, {"absent.h5"},
               [&] { DatasetFile(directory / "absent.h5", "x_train"); });
}

}  // namespace
}  // namespace lockstep
