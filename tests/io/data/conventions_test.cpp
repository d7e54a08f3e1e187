#include "io/data/conventions.hpp"

#include <cmath>
#include <functional>
#include <limits>

#include "io/data/dataset_file.hpp"
#include "tests/io/hdf5/hdf5_test_files.hpp"
#include "tests/io/io_test_support.hpp"

/// Attributes that say what stored numbers mean.
namespace lockstep {
namespace {

using test::add_dataset;
using test::expect_error;
using test::RawFile;
using test::TemporaryDirectory;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr ExitCode kBad = ExitCode::kBadData;

void add_number(hid_t file, const char* object, const char* name, hid_t type, double value) {
  const hid_t space = H5Screate(H5S_SCALAR);
  const hid_t attribute =
      H5Acreate_by_name(file, object, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  EXPECT_GE(H5Awrite(attribute, H5T_NATIVE_DOUBLE, &value), 0) << name;
  H5Aclose(attribute);
  H5Sclose(space);
}

void add_text(hid_t file, const char* object, const char* name, const std::string& value) {
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, value.size());
  const hid_t space = H5Screate(H5S_SCALAR);
  const hid_t attribute =
      H5Acreate_by_name(file, object, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  EXPECT_GE(H5Awrite(attribute, type, value.data()), 0) << name;
  H5Aclose(attribute);
  H5Sclose(space);
  H5Tclose(type);
}

/// f.h5 with int16 x of (4, 2): 0, 10, ..., 70.
class ConventionsTest : public testing::Test {
 protected:
  void make(const std::function<void(hid_t)>& add) {
    std::vector<std::int16_t> values;
    for (int i = 0; i < 8; ++i) values.push_back(static_cast<std::int16_t>(i * 10));
    const RawFile file(path());
    ASSERT_TRUE(
        add_dataset(file.id(), "x", H5T_STD_I16BE, {4, 2}, H5T_NATIVE_INT16, values.data()));
    add(file.id());
  }
  std::filesystem::path path() const { return directory_ / "f.h5"; }
  void refuse(const std::vector<std::string>& words) const {
    expect_error(kBad, words, [&] {
      const DatasetFile file(path(), "x");
      std::vector<std::byte> room(static_cast<std::size_t>(file.rows()) * file.row_bytes());
      file.read(0, file.rows(), room);
    });
  }
  TemporaryDirectory directory_;
};

TEST_F(ConventionsTest, ScaleAndOffsetAreAppliedInDouble) {
  make([](hid_t file) {
    add_number(file, "x", "scale_factor", H5T_IEEE_F64LE, 0.01);
    add_number(file, "x", "add_offset", H5T_IEEE_F32LE, 20);
  });
  const DatasetFile file(path(), "x");
  EXPECT_EQ(file.type(), ElementType::kFloat32);
  std::vector<float> rows(4);
  file.read(1, 2, test::writable_bytes(rows));
  EXPECT_THAT(rows,
              ElementsAre(static_cast<float>(20 * 0.01 + 20), static_cast<float>(30 * 0.01 + 20),
                          static_cast<float>(40 * 0.01 + 20), static_cast<float>(50 * 0.01 + 20)));
  EXPECT_THAT(file.notes(), ElementsAre(HasSubstr("int16 * 0.01 + 20 (scale_factor, add_offset)")));
}

TEST_F(ConventionsTest, WhatCancelsKeepsItsDigits) {
  make([](hid_t file) {
    add_number(file, "x", "scale_factor", H5T_IEEE_F64LE, 0.0142857);
    add_number(file, "x", "add_offset", H5T_IEEE_F64LE, -1);
  });
  std::vector<float> rows(2);
  DatasetFile(path(), "x").read(3, 1, test::writable_bytes(rows));
  EXPECT_EQ(rows[1], static_cast<float>(70 * 0.0142857 - 1));
}

TEST_F(ConventionsTest, AScaleOfOneChangesNothing) {
  make([](hid_t file) {
    add_number(file, "x", "scale_factor", H5T_IEEE_F64LE, 1);
    add_number(file, "x", "add_offset", H5T_IEEE_F64LE, 0);
  });
  EXPECT_EQ(DatasetFile(path(), "x").type(), ElementType::kInt16);
}

TEST_F(ConventionsTest, MissingValuesAreCountedAndNamed) {
  make([](hid_t file) { add_number(file, "x", "_FillValue", H5T_STD_I16LE, 50); });
  refuse(
      {"f.h5:/x", "got 1 that is missing", "row 2", "50 by the _FillValue 50", "--missing drop"});
  make([](hid_t file) { add_number(file, "x", "missing_value", H5T_IEEE_F64LE, 0); });
  refuse({"got 1 that is missing", "row 0", "0 by the missing_value 0"});
  make([](hid_t file) { add_number(file, "x", "valid_max", H5T_STD_I16LE, 45); });
  refuse({"got 3 that are missing", "row 2", "50 by the valid_max 45"});
  make([](hid_t file) { add_number(file, "x", "valid_min", H5T_STD_I16LE, 15); });
  refuse({"got 2 that are missing", "row 0", "0 by the valid_min 15"});
}

TEST_F(ConventionsTest, ValidRangeHasTwoEnds) {
  make([](hid_t file) {
    const hsize_t two = 2;
    const hid_t space = H5Screate_simple(1, &two, nullptr);
    const hid_t attribute = H5Acreate_by_name(file, "x", "valid_range", H5T_STD_I16LE, space,
                                              H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    const std::int16_t range[] = {10, 60};
    H5Awrite(attribute, H5T_NATIVE_INT16, range);
    H5Aclose(attribute);
    H5Sclose(space);
  });
  refuse({"got 2 that are missing", "row 0", "valid_range"});
}

TEST_F(ConventionsTest, ALimitOfTheUnpackedTypeIsOneOfUnpackedNumbers) {
  make([](hid_t file) {
    add_number(file, "x", "scale_factor", H5T_IEEE_F64LE, 0.01);
    add_number(file, "x", "valid_min", H5T_IEEE_F64LE, 0.05);
    add_number(file, "x", "valid_max", H5T_IEEE_F64LE, 1);
  });
  refuse({"got 1 that is missing", "row 0", "0 by the valid_min 0.05"});
  make([](hid_t file) {
    add_number(file, "x", "scale_factor", H5T_IEEE_F64LE, 0.01);
    add_number(file, "x", "valid_max", H5T_STD_I16LE, 60);
  });
  refuse({"got 1 that is missing", "row 3", "70 by the valid_max 60"});
}

TEST_F(ConventionsTest, MarksThatNoElementHasAreNoHarm) {
  make([](hid_t file) {
    add_number(file, "x", "_FillValue", H5T_STD_I16LE, -32767);
    add_number(file, "x", "missing_value", H5T_IEEE_F32LE, 1e20);
  });
  const DatasetFile file(path(), "x");
  std::vector<std::int16_t> rows(8);
  file.read(0, 4, test::writable_bytes(rows));
  EXPECT_EQ(rows[7], 70);
}

TEST_F(ConventionsTest, MissingIsLookedForBeforeScaling) {
  make([](hid_t file) {
    add_number(file, "x", "scale_factor", H5T_IEEE_F64LE, 0.1);
    add_number(file, "x", "_FillValue", H5T_STD_I16LE, 70);
  });
  refuse({"got 1 that is missing", "row 3", "70 by the _FillValue 70"});
  const DatasetFile file(path(), "x");
  std::vector<float> gaps(8);
  file.read_with_gaps(0, 4, gaps);
  EXPECT_EQ(gaps[6], static_cast<float>(60 * 0.1));
  EXPECT_TRUE(std::isnan(gaps[7]));
}

TEST_F(ConventionsTest, UnsignedIsApplied) {
  {
    const std::vector<std::int8_t> values = {-1, -2, 3, 4};
    const RawFile file(path());
    ASSERT_TRUE(add_dataset(file.id(), "x", H5T_STD_I8LE, {4}, H5T_NATIVE_INT8, values.data()));
    add_text(file.id(), "x", "_Unsigned", "true");
    add_number(file.id(), "x", "_FillValue", H5T_STD_I8LE, -3);  // 253
  }
  const DatasetFile file(path(), "x");
  std::vector<std::uint8_t> rows(4);
  file.read(0, 4, test::writable_bytes(rows));
  EXPECT_EQ(file.type(), ElementType::kUint8);
  EXPECT_THAT(rows, ElementsAre(255, 254, 3, 4));
}

TEST_F(ConventionsTest, NanAsAMarkIsFoundAmongFloats) {
  {
    const std::vector<float> values = {1, std::numeric_limits<float>::quiet_NaN()};
    const RawFile file(path());
    ASSERT_TRUE(add_dataset(file.id(), "x", H5T_IEEE_F32LE, {2}, H5T_NATIVE_FLOAT, values.data()));
    add_number(file.id(), "x", "_FillValue", H5T_IEEE_F32LE,
               std::numeric_limits<double>::quiet_NaN());
  }
  refuse({"got 1 that is missing", "row 1", "_FillValue nan"});
}

TEST_F(ConventionsTest, NetcdfsDefaultFillValueIsFoundInItsFiles) {
  {
    const std::vector<float> values = {1, 9.9692099683868690e+36F, 3};
    const RawFile file(path());
    ASSERT_TRUE(add_dataset(file.id(), "x", H5T_IEEE_F32LE, {3}, H5T_NATIVE_FLOAT, values.data()));
    add_text(file.id(), "/", "_NCProperties", "version=2,netcdf=4.9.0,hdf5=1.10.8");
  }
  refuse({"got 1 that is missing", "row 1", "default fill value of netCDF"});
}

TEST_F(ConventionsTest, TextThatIsANumberCounts) {
  make([](hid_t file) { add_text(file, "x", "scale_factor", "0.5"); });
  EXPECT_EQ(DatasetFile(path(), "x").type(), ElementType::kFloat32);
  make([](hid_t file) { add_text(file, "x", "scale_factor", "half"); });
  refuse({"f.h5:/x", "scale_factor", "'half'"});
}

TEST_F(ConventionsTest, MatlabsMarksAreNamed) {
  make([](hid_t file) { add_number(file, "x", "MATLAB_empty", H5T_STD_U8LE, 1); });
  refuse({"f.h5:/x", "empty array of MATLAB", "MATLAB_empty"});
  make([](hid_t file) { add_text(file, "x", "MATLAB_class", "char"); });
  refuse({"text of MATLAB", "MATLAB_class = char"});
  make([](hid_t file) {
    add_text(file, "x", "MATLAB_class", "table");
    add_number(file, "x", "MATLAB_object_decode", H5T_STD_I32LE, 3);
  });
  refuse({"object of MATLAB (table", "MATLAB_object_decode"});
  make([](hid_t file) { add_number(file, "/", "MATLAB_sparse", H5T_STD_U64LE, 9); });
  refuse({"sparse matrix of MATLAB", "MATLAB_sparse"});
}

TEST_F(ConventionsTest, PandasAndNetcdfsMarksAreNamed) {
  make([](hid_t file) { add_text(file, "x", "value_type", "datetime64[ns]"); });
  refuse({"times of pandas", "value_type = datetime64"});
  make([](hid_t file) {
    add_text(file, "x", "value_type", "float64");
    add_number(file, "x", "shape", H5T_STD_I64LE, 0);
  });
  refuse({"empty array of pandas", "shape"});
  make([](hid_t file) {
    add_text(file, "x", "CLASS", "DIMENSION_SCALE");
    add_text(file, "x", "NAME", "This is a netCDF dimension but not a netCDF variable.         4");
  });
  refuse({"dimension of netCDF without values", "dimension scale"});
}

TEST_F(ConventionsTest, OtherScalesAreSaidToBeLeftOut) {
  make([](hid_t file) { add_number(file, "x", "Slope", H5T_IEEE_F32LE, 0.5); });
  EXPECT_THAT(DatasetFile(path(), "x").notes(), ElementsAre(HasSubstr("Slope is not applied")));
}

}  // namespace
}  // namespace lockstep
