#include <array>
#include <cstring>
#include <functional>
#include <tuple>

#include "io/data/dataset_file.hpp"
#include "tests/io/hdf5/hdf5_test_files.hpp"
#include "tests/io/io_test_support.hpp"

/// Arrays that are more than a dataset of plain numbers.
namespace lockstep {
namespace {

using test::add_dataset;
using test::expect_error;
using test::RawFile;
using test::TemporaryDirectory;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr ExitCode kBad = ExitCode::kBadData;

template <class T>
std::vector<T> all_of(const DatasetFile& file) {
  std::vector<T> values(static_cast<std::size_t>(file.rows()) * file.row_bytes() / sizeof(T));
  file.read(0, file.rows(), test::writable_bytes(values));
  return values;
}

struct Record {
  double mass;
  float position[3];
  std::int32_t count;
  std::uint8_t flag;
  char name[4];
  std::int16_t deep;
};

/// FILE:/t, five records.
void make_table(const std::filesystem::path& path) {
  std::vector<Record> records;
  for (int i = 0; i < 5; ++i) {
    Record record = {i + 0.5, {}, -i, static_cast<std::uint8_t>(i), "", 0};
    for (int k = 0; k < 3; ++k) record.position[k] = static_cast<float>(i + 10 * k);
    std::strcpy(record.name, i % 2 == 0 ? "cat" : "ape");
    record.deep = static_cast<std::int16_t>(i * 100);
    records.push_back(record);
  }
  const RawFile file(path);
  const hsize_t three = 3;
  const hid_t position = H5Tarray_create2(H5T_NATIVE_FLOAT, 1, &three);
  const hid_t name = H5Tcopy(H5T_C_S1);
  H5Tset_size(name, 4);
  const hid_t inner = H5Tcreate(H5T_COMPOUND, sizeof(std::int16_t));
  H5Tinsert(inner, "er", 0, H5T_NATIVE_INT16);
  const hid_t type = H5Tcreate(H5T_COMPOUND, sizeof(Record));
  H5Tinsert(type, "mass", HOFFSET(Record, mass), H5T_NATIVE_DOUBLE);
  H5Tinsert(type, "position", HOFFSET(Record, position), position);
  H5Tinsert(type, "count", HOFFSET(Record, count), H5T_NATIVE_INT32);
  H5Tinsert(type, "flag", HOFFSET(Record, flag), H5T_NATIVE_B8);
  H5Tinsert(type, "name", HOFFSET(Record, name), name);
  H5Tinsert(type, "in", HOFFSET(Record, deep), inner);
  ASSERT_TRUE(add_dataset(file.id(), "t", type, {5}, type, records.data()));
  for (const hid_t id : {position, name, inner, type}) H5Tclose(id);
}

TEST(DatasetForms, AFieldOfACompoundIsReadByName) {
  TemporaryDirectory directory;
  make_table(directory / "f.h5");
  const DatasetFile mass(directory / "f.h5", "t.mass");
  EXPECT_EQ(mass.type(), ElementType::kFloat64);
  EXPECT_EQ(mass.row_shape(), Shape{});
  EXPECT_THAT(all_of<double>(mass), ElementsAre(0.5, 1.5, 2.5, 3.5, 4.5));
  EXPECT_EQ(DatasetFile(directory / "f.h5", "/t.position").row_shape(), Shape{3});
  EXPECT_THAT(all_of<std::uint8_t>(DatasetFile(directory / "f.h5", "t.flag")),
              ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(all_of<std::int16_t>(DatasetFile(directory / "f.h5", "t.in.er")),
              ElementsAre(0, 100, 200, 300, 400));
  std::vector<std::int32_t> two(2);
  DatasetFile(directory / "f.h5", "t.count").read(3, 2, test::writable_bytes(two));
  EXPECT_THAT(two, ElementsAre(-3, -4));
}

TEST(DatasetForms, FieldsStandSideBySide) {
  TemporaryDirectory directory;
  make_table(directory / "f.h5");
  const DatasetFile some(directory / "f.h5", "t.[count, position,mass]");
  EXPECT_EQ(some.type(), ElementType::kFloat64);
  EXPECT_EQ(some.row_shape(), Shape{5});
  std::vector<double> row(5);
  some.read(2, 1, test::writable_bytes(row));
  EXPECT_THAT(row, ElementsAre(-2, 2, 12, 22, 2.5));
  const DatasetFile numbers(directory / "f.h5", "t.*");
  EXPECT_EQ(numbers.row_shape(), Shape{7});
}

TEST(DatasetForms, AFieldOfTextIsClasses) {
  TemporaryDirectory directory;
  make_table(directory / "f.h5");
  const DatasetFile names(directory / "f.h5", "t.name");
  EXPECT_THAT(names.classes(), ElementsAre("ape", "cat"));
  EXPECT_THAT(all_of<std::int32_t>(names), ElementsAre(1, 0, 1, 0, 1));
}

TEST(DatasetForms, MessagesNameTheFields) {
  TemporaryDirectory directory;
  make_table(directory / "f.h5");
  expect_error(kBad,
               {"f.h5:/t", "compound of mass, position, count, flag, name, in", "t.mass",
                "t.[mass, position, count, flag, in.er]"},
               [&] { DatasetFile(directory / "f.h5", "t"); });
  expect_error(kBad, {"got 'age'", "its fields: mass, position"},
               [&] { DatasetFile(directory / "f.h5", "t.age"); });
  expect_error(kBad, {"string of fixed length 4 in the field name"},
               [&] { DatasetFile(directory / "f.h5", "t.[mass,name]"); });
}

TEST(DatasetForms, ADatasetWhoseNameHasADotComesFirst) {
  TemporaryDirectory directory;
  make_table(directory / "f.h5");
  {
    const hid_t file = H5Fopen((directory / "f.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    const std::vector<std::int32_t> values = {7};
    add_dataset(file, "t.mass", H5T_STD_I32LE, {1}, H5T_NATIVE_INT32, values.data());
    H5Fclose(file);
  }
  EXPECT_THAT(all_of<std::int32_t>(DatasetFile(directory / "f.h5", "t.mass")), ElementsAre(7));
}

TEST(DatasetForms, ComplexNumbersReferencesAndTimesAreNamed) {
  TemporaryDirectory directory;
  {
    const RawFile file(directory / "f.h5");
    const std::vector<double> values(4, 1);
    for (const auto& [name, real, imaginary] :
         {std::tuple("h5py", "r", "i"), std::tuple("matlab", "real", "imag")}) {
      const hid_t complex = H5Tcreate(H5T_COMPOUND, 16);
      H5Tinsert(complex, real, 0, H5T_NATIVE_DOUBLE);
      H5Tinsert(complex, imaginary, 8, H5T_NATIVE_DOUBLE);
      ASSERT_TRUE(add_dataset(file.id(), name, complex, {2}, complex, values.data()));
      H5Tclose(complex);
    }
    const hid_t times = H5Tcreate(H5T_OPAQUE, 8);
    H5Tset_tag(times, "NUMPY:<M8[ns]");
    ASSERT_TRUE(add_dataset(file.id(), "times", times, {4}, times, values.data()));
    H5Tclose(times);
    hobj_ref_t reference;
    H5Rcreate(&reference, file.id(), "h5py", H5R_OBJECT, -1);
    ASSERT_TRUE(add_dataset(file.id(), "cell", H5T_STD_REF_OBJ, {1}, H5T_STD_REF_OBJ, &reference));
  }
  const auto refuse = [&](const char* name, const std::vector<std::string>& words) {
    expect_error(kBad, words, [&] { DatasetFile(directory / "f.h5", name); });
  };
  refuse("h5py", {"complex (compound of r and i)", "h5py.[r, i]"});
  refuse("matlab", {"complex (compound of real and imag)"});
  refuse("times", {"opaque (NumPy's datetime64)"});
  refuse("cell", {"reference (as in a MATLAB cell array)"});
  EXPECT_EQ(DatasetFile(directory / "f.h5", "h5py.[r,i]").row_shape(), Shape{2});
}

TEST(DatasetForms, StringsAreClassesInTheirOrder) {
  TemporaryDirectory directory;
  {
    const RawFile file(directory / "f.h5");
    const hid_t variable = H5Tcopy(H5T_C_S1);
    H5Tset_size(variable, H5T_VARIABLE);
    H5Tset_cset(variable, H5T_CSET_UTF8);
    const std::vector<const char*> words = {"virginica", "setosa", "größe", "setosa"};
    ASSERT_TRUE(add_dataset(file.id(), "variable", variable, {4}, variable, words.data()));
    ASSERT_TRUE(add_dataset(file.id(), "column", variable, {4, 1}, variable, words.data()));
    ASSERT_TRUE(add_dataset(file.id(), "two", variable, {2, 2}, variable, words.data()));
    const std::vector<const char*> gaps = {"a", ""};
    ASSERT_TRUE(add_dataset(file.id(), "gaps", variable, {2}, variable, gaps.data()));
    H5Tclose(variable);
    const hid_t fixed = H5Tcopy(H5T_C_S1);
    H5Tset_size(fixed, 3);
    H5Tset_strpad(fixed, H5T_STR_NULLPAD);
    ASSERT_TRUE(add_dataset(file.id(), "fixed", fixed, {3}, fixed, "dogb\0\0cat"));
    H5Tclose(fixed);
  }
  const DatasetFile variable(directory / "f.h5", "variable");
  EXPECT_THAT(variable.classes(), ElementsAre("größe", "setosa", "virginica"));
  EXPECT_THAT(all_of<std::int32_t>(variable), ElementsAre(2, 1, 0, 1));
  EXPECT_THAT(variable.notes(),
              ElementsAre(HasSubstr("3 classes: 0 = größe, 1 = setosa, 2 = virginica")));
  EXPECT_THAT(all_of<std::int32_t>(DatasetFile(directory / "f.h5", "column")),
              ElementsAre(2, 1, 0, 1));
  EXPECT_THAT(DatasetFile(directory / "f.h5", "fixed").classes(), ElementsAre("b", "cat", "dog"));
  expect_error(kBad, {"one string a row"}, [&] { DatasetFile(directory / "f.h5", "two"); });
  expect_error(kBad, {"empty string in row 1"}, [&] { DatasetFile(directory / "f.h5", "gaps"); });
}

TEST(DatasetForms, BitfieldsAndEnumsAreNumbers) {
  TemporaryDirectory directory;
  {
    const RawFile file(directory / "f.h5");
    const std::vector<std::uint8_t> bytes = {0, 1, 255};
    ASSERT_TRUE(add_dataset(file.id(), "b8", H5T_STD_B8LE, {3}, H5T_NATIVE_B8, bytes.data()));
    const std::vector<std::uint16_t> words = {1, 256, 65535};
    ASSERT_TRUE(add_dataset(file.id(), "b16", H5T_STD_B16BE, {3}, H5T_NATIVE_B16, words.data()));
    const hid_t boolean = H5Tenum_create(H5T_NATIVE_INT8);  // as h5py
    for (std::int8_t value : std::to_array<std::int8_t>({0, 1}))
      H5Tenum_insert(boolean, value == 0 ? "FALSE" : "TRUE", &value);
    ASSERT_TRUE(add_dataset(file.id(), "bool", boolean, {3}, boolean, "\0\1\1"));
    H5Tclose(boolean);
  }
  EXPECT_THAT(all_of<std::uint8_t>(DatasetFile(directory / "f.h5", "b8")), ElementsAre(0, 1, 255));
  EXPECT_THAT(all_of<std::uint16_t>(DatasetFile(directory / "f.h5", "b16")),
              ElementsAre(1, 256, 65535));
  EXPECT_THAT(all_of<std::int8_t>(DatasetFile(directory / "f.h5", "bool")), ElementsAre(0, 1, 1));
}

TEST(DatasetForms, AxesAreReversedByT) {
  TemporaryDirectory directory;
  std::vector<std::int32_t> values;
  for (int i = 0; i < 2 * 3 * 4; ++i) values.push_back(i);
  {
    const RawFile file(directory / "f.h5");
    ASSERT_TRUE(
        add_dataset(file.id(), "x", H5T_STD_I32BE, {2, 3, 4}, H5T_NATIVE_INT32, values.data()));
    const hid_t creation = test::chunked({2, 2, 3});
    H5Pset_deflate(creation, 1);
    ASSERT_TRUE(add_dataset(file.id(), "chunked", H5T_STD_I32BE, {2, 3, 4}, H5T_NATIVE_INT32,
                            values.data(), creation));
    H5Pclose(creation);
    ASSERT_TRUE(add_dataset(file.id(), "y", H5T_STD_I32LE, {4}, H5T_NATIVE_INT32, values.data()));
  }
  for (const char* name : {"x.T", "chunked.T"}) {
    const DatasetFile x(directory / "f.h5", name);
    EXPECT_EQ(x.rows(), 4);
    EXPECT_EQ(x.row_shape(), (Shape{3, 2}));
    std::vector<std::int32_t> rows(2 * 6);
    x.read(1, 2, test::writable_bytes(rows));
    for (int row = 0; row < 2; ++row)
      for (int j = 0; j < 3; ++j)
        for (int k = 0; k < 2; ++k)  // x.T[row, j, k] is x[k, j, row]
          EXPECT_EQ(rows[static_cast<std::size_t>(row * 6 + j * 2 + k)],
                    values[static_cast<std::size_t>(k * 12 + j * 4 + row + 1)]);
  }
  EXPECT_THAT(all_of<std::int32_t>(DatasetFile(directory / "f.h5", "y.T")),
              ElementsAre(0, 1, 2, 3));
}

TEST(DatasetForms, Hdf5sOwnFiltersAreUndone) {
  TemporaryDirectory directory;
  std::vector<std::int32_t> values;
  for (int i = 0; i < 64; ++i) values.push_back(i * 37 % 1000);
  const std::vector<std::pair<const char*, std::function<void(hid_t)>>> filters = {
      {"deflate", [](hid_t c) { H5Pset_shuffle(c), H5Pset_deflate(c, 6); }},
      {"fletcher32", [](hid_t c) { H5Pset_fletcher32(c); }},
      {"scaleoffset", [](hid_t c) { H5Pset_scaleoffset(c, H5Z_SO_INT, 0); }},
      {"nbit", [](hid_t c) { H5Pset_nbit(c); }},
      {"szip", [](hid_t c) { H5Pset_szip(c, H5_SZIP_NN_OPTION_MASK, 8); }}};
  {
    const RawFile file(directory / "f.h5");
    const hid_t twelve = H5Tcopy(H5T_STD_I32LE);
    H5Tset_precision(twelve, 12);
    H5Tset_offset(twelve, 4);
    for (const auto& [name, set] : filters) {
      const hid_t creation = test::chunked({16});
      set(creation);
      const hid_t type = std::string(name) == "nbit" ? twelve : H5T_STD_I32LE;
      ASSERT_TRUE(
          add_dataset(file.id(), name, type, {64}, H5T_NATIVE_INT32, values.data(), creation))
          << name;
      H5Pclose(creation);
    }
    H5Tclose(twelve);
  }
  for (const auto& [name, set] : filters)
    EXPECT_EQ(all_of<std::int32_t>(DatasetFile(directory / "f.h5", name)), values) << name;
}

}  // namespace
}  // namespace lockstep
