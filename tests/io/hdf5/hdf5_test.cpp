#include "io/hdf5/hdf5.hpp"

#include <fcntl.h>
#include <malloc.h>
#include <sys/file.h>
#include <unistd.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "tests/io/hdf5/hdf5_test_files.hpp"
#include "tests/io/io_test_support.hpp"

namespace lockstep {
namespace {

using hdf5::DatasetInfo;
using hdf5::File;
using hdf5::Writer;
using test::add_dataset;
using test::expect_error;
using test::RawFile;
using test::TemporaryDirectory;
using testing::ElementsAre;
using testing::HasSubstr;

template <class T>
std::vector<T> read_all(const File& file, const std::string& path, std::size_t count) {
  std::vector<T> values(count);
  const std::int64_t rows = file.dataset_info(path).extents.at(0);
  file.read_rows(path, element_type_of<T>(), 0, rows, test::writable_bytes(values));
  return values;
}

template <class T>
void expect_both_byte_orders(hid_t little, hid_t big, hid_t native, const std::string& name) {
  using Limits = std::numeric_limits<T>;
  const std::vector<T> values = {Limits::lowest(), Limits::max(), T{0}, T{1}, T{100}, T{77}};
  TemporaryDirectory directory;
  {
    const RawFile file(directory / "f.h5");
    ASSERT_TRUE(add_dataset(file.id(), "little", little, {3, 2}, native, values.data()));
    ASSERT_TRUE(add_dataset(file.id(), "big", big, {3, 2}, native, values.data()));
  }

  const File file = File::open(directory / "f.h5");

  EXPECT_EQ(file.dataset_info("little").type, element_type_of<T>());
  EXPECT_EQ(file.dataset_info("little").stored_type, name);
  EXPECT_EQ(file.dataset_info("big").stored_type, (sizeof(T) > 1 ? "big-endian " : "") + name);
  EXPECT_EQ(file.dataset_info("/big").extents, (Shape{3, 2}));
  EXPECT_EQ(read_all<T>(file, "little", 6), values);
  EXPECT_EQ(read_all<T>(file, "big", 6), values);
}

TEST(Hdf5, ReadsEveryIntegerWidthInBothByteOrders) {
  expect_both_byte_orders<std::int8_t>(H5T_STD_I8LE, H5T_STD_I8BE, H5T_NATIVE_INT8, "int8");
  expect_both_byte_orders<std::uint8_t>(H5T_STD_U8LE, H5T_STD_U8BE, H5T_NATIVE_UINT8, "uint8");
  expect_both_byte_orders<std::int16_t>(H5T_STD_I16LE, H5T_STD_I16BE, H5T_NATIVE_INT16, "int16");
  expect_both_byte_orders<std::uint16_t>(H5T_STD_U16LE, H5T_STD_U16BE, H5T_NATIVE_UINT16, "uint16");
  expect_both_byte_orders<std::int32_t>(H5T_STD_I32LE, H5T_STD_I32BE, H5T_NATIVE_INT32, "int32");
  expect_both_byte_orders<std::uint32_t>(H5T_STD_U32LE, H5T_STD_U32BE, H5T_NATIVE_UINT32, "uint32");
  expect_both_byte_orders<std::int64_t>(H5T_STD_I64LE, H5T_STD_I64BE, H5T_NATIVE_INT64, "int64");
  expect_both_byte_orders<std::uint64_t>(H5T_STD_U64LE, H5T_STD_U64BE, H5T_NATIVE_UINT64, "uint64");
}

TEST(Hdf5, ReadsBothFloatWidthsInBothByteOrders) {
  expect_both_byte_orders<float>(H5T_IEEE_F32LE, H5T_IEEE_F32BE, H5T_NATIVE_FLOAT, "float32");
  expect_both_byte_orders<double>(H5T_IEEE_F64LE, H5T_IEEE_F64BE, H5T_NATIVE_DOUBLE, "float64");
}

TEST(Hdf5, ReadsOddWidthsAsTheNextLargerOrLargestType) {
  const std::vector<std::int32_t> integers = {-8'000'000, 0, 8'000'000};
  const std::vector<double> reals = {-1.25, 1e300, 0.5};
  TemporaryDirectory directory;
  {
    const RawFile file(directory / "f.h5");
    const hid_t three_bytes = H5Tcopy(H5T_STD_I32BE);
    H5Tset_precision(three_bytes, 24);
    H5Tset_size(three_bytes, 3);
    ASSERT_TRUE(
        add_dataset(file.id(), "int24", three_bytes, {3}, H5T_NATIVE_INT32, integers.data()));
    ASSERT_TRUE(
        add_dataset(file.id(), "long", H5T_NATIVE_LDOUBLE, {3}, H5T_NATIVE_DOUBLE, reals.data()));
    H5Tclose(three_bytes);
  }
  const File file = File::open(directory / "f.h5");

  EXPECT_EQ(file.dataset_info("int24").stored_type, "big-endian int24");
  EXPECT_EQ(read_all<std::int32_t>(file, "int24", 3), integers);
  EXPECT_EQ(read_all<double>(file, "long", 3), reals);
}

TEST(Hdf5, ReadsEveryKindOfFloat16AsFloat32) {
  // 1, -2, the largest, the smallest normal, the smallest subnormal, -0, infinity, NaN
  const std::vector<std::uint16_t> halves = {0x3c00, 0xc000, 0x7bff, 0x0400,
                                             0x0001, 0x8000, 0x7c00, 0x7e00};
  std::vector<std::uint16_t> swapped = halves;
  for (std::uint16_t& half : swapped) half = static_cast<std::uint16_t>(half << 8 | half >> 8);
  TemporaryDirectory directory;
  {
    const RawFile file(directory / "f.h5");
    const hid_t little = test::half_type(H5T_IEEE_F32LE);
    const hid_t big = test::half_type(H5T_IEEE_F32BE);
    ASSERT_TRUE(add_dataset(file.id(), "little", little, {8}, little, halves.data()));
    ASSERT_TRUE(add_dataset(file.id(), "big", big, {8}, big, swapped.data()));
    H5Tclose(little);
    H5Tclose(big);
  }

  const File file = File::open(directory / "f.h5");

  EXPECT_EQ(file.dataset_info("big").stored_type, "big-endian float16");
  for (const char* name : {"little", "big"}) {
    const std::vector<float> values = read_all<float>(file, name, 8);
    EXPECT_EQ(values[0], 1.0f);
    EXPECT_EQ(values[1], -2.0f);
    EXPECT_EQ(values[2], 65504.0f);
    EXPECT_EQ(values[3], std::ldexp(1.0f, -14));
    EXPECT_EQ(values[4], std::ldexp(1.0f, -24));
    EXPECT_EQ(std::bit_cast<std::uint32_t>(values[5]), 0x80000000u);
    EXPECT_EQ(values[6], std::numeric_limits<float>::infinity());
    EXPECT_TRUE(std::isnan(values[7]));
  }
}

TEST(Hdf5, ReadsEnumsAsTheirIntegersEvenWithoutANameForTheValue) {
  const std::vector<std::int8_t> values = {0, 1, 1, 5};
  TemporaryDirectory directory;
  {
    const RawFile file(directory / "f.h5");
    const hid_t boolean = H5Tenum_create(H5T_NATIVE_INT8);  // as h5py has it
    const std::int8_t no = 0;
    const std::int8_t yes = 1;
    H5Tenum_insert(boolean, "FALSE", &no);
    H5Tenum_insert(boolean, "TRUE", &yes);
    ASSERT_TRUE(add_dataset(file.id(), "mask", boolean, {4}, boolean, values.data()));
    H5Tclose(boolean);
  }

  const File file = File::open(directory / "f.h5");

  EXPECT_EQ(file.dataset_info("mask").type, ElementType::kInt8);
  EXPECT_EQ(file.dataset_info("mask").stored_type, "enum of int8");
  EXPECT_EQ(read_all<std::int8_t>(file, "mask", 4), values);
}

TEST(Hdf5, ReadsRangesOfRowsOfCompressedChunks) {
  std::vector<std::int32_t> values(35 * 3);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::int32_t>(i * i);
  TemporaryDirectory directory;
  Writer writer = Writer::create(directory / "f.h5");
  writer.create_dataset("/deep/x", ElementType::kInt32, {35, 3}, 8, 6);
  writer.write_rows("/deep/x", ElementType::kInt32, 0, 20,
                    std::as_bytes(std::span(values).first(60)));
  writer.write_rows("/deep/x", ElementType::kInt32, 20, 15,
                    std::as_bytes(std::span(values).subspan(60)));
  writer.close();

  const File file = File::open(directory / "f.h5");
  const DatasetInfo info = file.dataset_info("deep/x");
  std::vector<std::int32_t> rows(5 * 3);
  file.read_rows("deep/x", ElementType::kInt32, 17, 5, test::writable_bytes(rows));

  EXPECT_THAT(info.filters, ElementsAre("deflate"));
  EXPECT_EQ(info.chunk, (Shape{8, 3}));
  EXPECT_GT(info.bytes_stored, 0);
  EXPECT_EQ(rows, std::vector<std::int32_t>(values.begin() + 51, values.begin() + 66));
}

TEST(Hdf5, RefusesRowsThatAreNotThereAndBuffersOfAnotherSize) {
  TemporaryDirectory directory;
  Writer writer = Writer::create(directory / "f.h5");
  writer.write_floats("x", {4, 2}, std::vector<float>(8));
  writer.close();
  const File file = File::open(directory / "f.h5");
  std::vector<float> room(4);
  const auto read = [&](std::int64_t first, std::int64_t count) {
    file.read_rows("x", ElementType::kFloat32, first, count, test::writable_bytes(room));
  };

  expect_error(ExitCode::kBadData, {"rows within 4", "2 from 3"}, [&] { read(3, 2); });
  expect_error(ExitCode::kBadData, {"24 bytes", "got 16"}, [&] { read(0, 3); });
  expect_error(ExitCode::kBadData, {"rows within 4"}, [&] { read(-1, 2); });
  expect_error(ExitCode::kBadData, {"expected int32, got float32"},
               [&] { file.read_rows("x", ElementType::kInt32, 0, 2, test::writable_bytes(room)); });
}

TEST(Hdf5, ReadFloatsComparesTheShapeFirst) {
  TemporaryDirectory directory;
  Writer writer = Writer::create(directory / "f.h5");
  writer.write_floats("w", {2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6});
  writer.write_integer("n", -7);
  writer.close();
  const File file = File::open(directory / "f.h5");

  EXPECT_THAT(file.read_floats("w", {2, 3}), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_EQ(file.read_integer("n"), -7);
  expect_error(ExitCode::kBadData, {"f.h5:/w", "expected shape (3, 2), got (2, 3)"}, [&] {
    file.read_floats("w", {3, 2});
  });
  expect_error(ExitCode::kBadData, {"one integer", "float32"}, [&] { file.read_integer("w"); });
}

TEST(Hdf5, ListsGroupsAndDatasets) {
  TemporaryDirectory directory;
  Writer writer = Writer::create(directory / "f.h5");
  writer.create_group("/b/empty");
  writer.write_floats("/b/w", {1}, std::vector<float>(1));
  writer.write_floats("/a", {1}, std::vector<float>(1));
  writer.close();
  const File file = File::open(directory / "f.h5");

  EXPECT_THAT(file.children("/"), ElementsAre("a", "b"));
  EXPECT_THAT(file.children("b"), ElementsAre("empty", "w"));
  EXPECT_THAT(file.datasets(), ElementsAre("/a", "/b/w"));
  EXPECT_TRUE(file.exists("/"));
  EXPECT_TRUE(file.exists("b/w"));
  EXPECT_FALSE(file.exists("b/x"));
  EXPECT_FALSE(file.exists("nothing/at/all"));
  EXPECT_FALSE(file.exists("a/below-a-dataset"));
  EXPECT_TRUE(file.is_group("b"));
  EXPECT_FALSE(file.is_group("a"));
  EXPECT_FALSE(file.is_group("c"));
  expect_error(ExitCode::kBadData, {"expected a group"}, [&] { file.children("a"); });
}

TEST(Hdf5, AnAbsentNameListsTheDatasetsThatExist) {
  TemporaryDirectory directory;
  Writer writer = Writer::create(directory / "f.h5");
  writer.write_floats("/images", {1}, std::vector<float>(1));
  writer.write_floats("/group/labels", {1}, std::vector<float>(1));
  writer.close();
  const File file = File::open(directory / "f.h5");

  expect_error(ExitCode::kBadData, {"f.h5:/x_train", "/group/labels", "/images"},
               [&] { file.dataset_info("x_train"); });
  expect_error(ExitCode::kBadData, {"f.h5:/group]", "expected a dataset, got a group", "/images"},
               [&] { file.dataset_info("group"); });
}

TEST(Hdf5, StringAttributesComeBackAsWritten) {
  const std::string long_text(200'000, 'x');
  Writer writer = Writer::in_memory();
  writer.create_group("/g");
  writer.write_string("/", "model_config", long_text);
  writer.write_string("/g", "umlaut",
                      "Gr\xc3\xb6\xc3\x9f"
                      "e");
  writer.write_strings("/g", "names", {"a", "dense_1", ""});
  writer.write_strings("/g", "none", {});
  const File file = File::open_image(writer.take_image(), "image");

  EXPECT_EQ(file.read_string("/", "model_config"), long_text);
  EXPECT_EQ(file.read_string("g", "umlaut"),
            "Gr\xc3\xb6\xc3\x9f"
            "e");
  EXPECT_THAT(file.read_strings("g", "names"), ElementsAre("a", "dense_1", ""));
  EXPECT_THAT(file.read_strings("g", "none"), ElementsAre());
  EXPECT_THAT(file.attribute_names("g"), ElementsAre("names", "none", "umlaut"));
  EXPECT_TRUE(file.has_attribute("g", "none"));
  EXPECT_FALSE(file.has_attribute("g", "nothing"));
  expect_error(ExitCode::kBadData, {"image:/g", "attribute missing"},
               [&] { file.read_string("g", "missing"); });
  expect_error(ExitCode::kBadData, {"one string", "got 3"},
               [&] { file.read_string("g", "names"); });
}

TEST(Hdf5, LongNameListsAreCutAsKerasCutsThem) {
  std::vector<std::string> names(1001, "n");
  names[500] = std::string(150, 'y');  // 1001 * 150 bytes need 3 parts: 334, 334, 333
  Writer writer = Writer::in_memory();
  writer.write_strings("/", "layer_names", names);
  const File file = File::open_image(writer.take_image(), "image");

  EXPECT_THAT(file.attribute_names("/"),
              ElementsAre("layer_names0", "layer_names1", "layer_names2"));
  EXPECT_EQ(file.read_strings("/", "layer_names0").size(), 334u);
  EXPECT_EQ(file.read_strings("/", "layer_names2").size(), 333u);
  EXPECT_EQ(file.read_strings("/", "layer_names"), names);
}

TEST(Hdf5, ReadsSpacePaddedAndVariableLengthStringLists) {
  TemporaryDirectory directory;
  {
    const RawFile file(directory / "f.h5");
    const hsize_t two = 2;
    const hid_t space = H5Screate_simple(1, &two, nullptr);
    const hid_t fixed = H5Tcopy(H5T_C_S1);
    H5Tset_size(fixed, 4);
    H5Tset_strpad(fixed, H5T_STR_SPACEPAD);
    hid_t attribute = H5Acreate2(file.id(), "padded", fixed, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, fixed, "ab  cdef");
    H5Aclose(attribute);
    const hid_t variable = H5Tcopy(H5T_C_S1);
    H5Tset_size(variable, H5T_VARIABLE);
    const char* texts[] = {"first", "second one"};
    attribute = H5Acreate2(file.id(), "variable", variable, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, variable, texts);
    H5Aclose(attribute);
    H5Tclose(variable);
    H5Tclose(fixed);
    H5Sclose(space);
  }
  const File file = File::open(directory / "f.h5");

  EXPECT_THAT(file.read_strings("/", "padded"), ElementsAre("ab", "cdef"));
  EXPECT_THAT(file.read_strings("/", "variable"), ElementsAre("first", "second one"));
}

TEST(Hdf5, TheSameContentGivesTheSameBytes) {
  const auto image = [](int perturbation) {
    mallopt(M_PERTURB, perturbation);  // fresh memory holds other bytes
    Writer writer = Writer::in_memory();
    writer.write_string("/", "text", "some text");
    writer.write_strings("/", "names", {"a", "bc"});
    for (int i = 0; i < 40; ++i) {
      writer.write_floats("/group" + std::to_string(i) + "/w", {5, 3}, std::vector<float>(15, 2));
    }
    writer.create_dataset("/rows", ElementType::kFloat64, {10}, 4, 4);
    const std::vector<double> rows(10, 1.5);
    writer.write_rows("/rows", ElementType::kFloat64, 0, 10, std::as_bytes(std::span(rows)));
    return writer.take_image();
  };

  const std::vector<std::byte> first = image(0x55);
  ::sleep(1);  // a timestamp would differ
  const std::vector<std::byte> second = image(0xaa);
  mallopt(M_PERTURB, 0);

  EXPECT_EQ(first, second);
}

TEST(Hdf5, TwoImagesAreTwoFiles) {
  const auto image = [](std::int64_t value) {
    Writer writer = Writer::in_memory();
    writer.write_integer("/n", value);
    return writer.take_image();
  };

  const File one = File::open_image(image(1), "same name");
  const File two = File::open_image(image(2), "same name");

  EXPECT_EQ(one.read_integer("n"), 1);
  EXPECT_EQ(two.read_integer("n"), 2);
}

TEST(Hdf5, AnEmptyDatasetHasNoRowsToRead) {
  Writer writer = Writer::in_memory();
  writer.create_dataset("/x", ElementType::kFloat32, {0, 4}, 16, 1);
  const File file = File::open_image(writer.take_image(), "image");

  EXPECT_EQ(file.dataset_info("x").extents, (Shape{0, 4}));
  EXPECT_NO_THROW(file.read_rows("x", ElementType::kFloat32, 0, 0, {}));
}

TEST(Hdf5, ReadsAFileThatSomebodyElseHasLocked) {
  TemporaryDirectory directory;
  Writer writer = Writer::create(directory / "f.h5");
  writer.write_integer("n", 5);
  writer.close();
  const int other = ::open((directory / "f.h5").c_str(), O_RDONLY);
  ASSERT_EQ(::flock(other, LOCK_EX | LOCK_NB), 0);

  EXPECT_EQ(File::open(directory / "f.h5").read_integer("n"), 5);
  ::close(other);
}

TEST(Hdf5, ReadsAFileThatThisProcessHasOpen) {
  TemporaryDirectory directory;
  Writer writer = Writer::create(directory / "f.h5");
  writer.write_integer("n", 5);
  writer.close();
  const hid_t other = H5Fopen((directory / "f.h5").c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);

  EXPECT_EQ(File::open(directory / "f.h5").read_integer("n"), 5);
  H5Fclose(other);
}

TEST(Hdf5, LeavesTheErrorPrinterAndThePluginSettingOfTheProcessAlone) {
  TemporaryDirectory directory;
  const auto printer = [](hid_t, void*) -> herr_t { return 0; };
  H5E_auto2_t before = nullptr;
  void* before_data = nullptr;
  H5Eget_auto2(H5E_DEFAULT, &before, &before_data);
  int marker = 0;
  H5Eset_auto2(H5E_DEFAULT, printer, &marker);
  unsigned plugins_before = 0;
  H5PLget_loading_state(&plugins_before);

  test::error_of([&] { File::open(directory / "missing.h5"); });
  test::write_bytes(directory / "text.h5", "no HDF5");
  test::error_of([&] { File::open(directory / "text.h5"); });

  H5E_auto2_t after = nullptr;
  void* after_data = nullptr;
  unsigned plugins_after = 0;
  H5Eget_auto2(H5E_DEFAULT, &after, &after_data);
  H5PLget_loading_state(&plugins_after);
  H5Eset_auto2(H5E_DEFAULT, before, before_data);
  EXPECT_EQ(after, static_cast<H5E_auto2_t>(printer));
  EXPECT_EQ(after_data, &marker);
  EXPECT_EQ(plugins_after, plugins_before);
}

TEST(Hdf5, TellsItsVersion) {
  EXPECT_THAT(hdf5::library_version(), testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
}

TEST(Hdf5, AWriterThatCannotCreateItsFileSaysSo) {
  TemporaryDirectory directory;
  expect_error(ExitCode::kCannotCreate, {"no-such-dir/f.h5"},
               [&] { Writer::create(directory / "no-such-dir/f.h5"); });
}

}  // namespace
}  // namespace lockstep
