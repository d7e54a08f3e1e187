#include <cmath>
#include <cstring>

#include "io/import/import.hpp"
#include "tests/io/io_test_support.hpp"

namespace lockstep {
namespace {

using std::string_literals::operator""s;
using test::expect_error;
using test::TemporaryDirectory;
using test::write_bytes;
using testing::ElementsAre;

/// A .npy file as numpy.save writes it: the header is padded to a multiple of 64 bytes.
std::string npy(int version, const std::string& header, const std::string& data) {
  const std::size_t fixed = version == 1 ? 10 : 12;
  std::string padded = header;
  while ((fixed + padded.size() + 1) % 64 != 0) padded += ' ';
  padded += '\n';
  std::string file = "\x93NUMPY"s + static_cast<char>(version) + '\0';
  file += static_cast<char>(padded.size() & 0xFF);
  file += static_cast<char>(padded.size() >> 8);
  if (version > 1) file += "\0\0"s;
  return file + padded + data;
}

std::string header(const std::string& descr, const std::string& shape, bool fortran = false) {
  return "{'descr': '" + descr + "', 'fortran_order': " + (fortran ? "True" : "False") +
         ", 'shape': " + shape + ", }";
}

template <class T>
std::vector<T> values_of(const Array& array) {
  EXPECT_EQ(array.type, element_type_of<T>());
  std::vector<T> values(array.bytes.size() / sizeof(T));
  std::memcpy(values.data(), array.bytes.data(), array.bytes.size());
  return values;
}

class Npy : public testing::Test {
 protected:
  Array read(const std::string& bytes) {
    write_bytes(path_, bytes);
    return read_npy(path_);
  }
  void expect_refused(const std::string& bytes, const std::vector<std::string>& words) {
    write_bytes(path_, bytes);
    expect_error(ExitCode::kBadData, words, [&] { read_npy(path_); });
  }

  TemporaryDirectory directory_;
  std::filesystem::path path_ = directory_ / "x.npy";
};

TEST_F(Npy, ReadsTheFormats1And2And3) {
  for (const int version : {1, 2, 3}) {
    const Array array =
        read(npy(version, header("<i2", "(2, 3)"), "\1\0\2\0\3\0\4\0\5\0\xFF\xFF"s));

    EXPECT_EQ(array.rows, 2);
    EXPECT_EQ(array.row_shape, Shape{3});
    EXPECT_THAT(values_of<std::int16_t>(array), ElementsAre(1, 2, 3, 4, 5, -1));
  }
  expect_refused(npy(4, header("|u1", "(1,)"), "x"), {"1.0, 2.0 or 3.0", "got 4.0"});
}

TEST_F(Npy, ReadsEveryTypeInBothByteOrders) {
  EXPECT_THAT(values_of<std::int8_t>(read(npy(1, header("|i1", "(2,)"), "\x80\x7F"))),
              ElementsAre(-128, 127));
  EXPECT_THAT(values_of<std::uint8_t>(read(npy(1, header("|u1", "(2,)"), "\x80\x7F"))),
              ElementsAre(128, 127));
  EXPECT_THAT(values_of<std::uint16_t>(read(npy(1, header(">u2", "(1,)"), "\x01\x02"))),
              ElementsAre(258));
  EXPECT_THAT(values_of<std::int32_t>(read(npy(1, header(">i4", "(1,)"), "\1\2\3\4"))),
              ElementsAre(0x01020304));
  EXPECT_THAT(values_of<std::uint32_t>(read(npy(1, header("<u4", "(1,)"), "\4\3\2\1"))),
              ElementsAre(0x01020304U));
  EXPECT_THAT(values_of<std::int64_t>(read(npy(1, header(">i8", "(1,)"), "\0\0\0\0\0\0\1\0"s))),
              ElementsAre(256));
  EXPECT_THAT(values_of<std::uint64_t>(read(npy(1, header("<u8", "(1,)"), "\0\1\0\0\0\0\0\x80"s))),
              ElementsAre(0x8000000000000100U));
  EXPECT_THAT(values_of<float>(read(npy(1, header(">f4", "(1,)"), "\xC0\x20\0\0"s))),
              ElementsAre(-2.5F));
  EXPECT_THAT(values_of<double>(read(npy(1, header("<f8", "(1,)"), "\0\0\0\0\0\0\xF8\x3F"s))),
              ElementsAre(1.5));
}

TEST_F(Npy, TurnsFortranOrderIntoRows) {
  // Element (i, j, k) is 100 i + 10 j + k; the first index runs fastest in the file.
  std::string data;
  for (int k = 0; k < 2; ++k) {
    for (int j = 0; j < 3; ++j) {
      for (int i = 0; i < 2; ++i) data += static_cast<char>(100 * i + 10 * j + k);
    }
  }
  const Array array = read(npy(1, header("|u1", "(2, 3, 2)", true), data));

  EXPECT_EQ(array.row_shape, (Shape{3, 2}));
  EXPECT_THAT(values_of<std::uint8_t>(array),
              ElementsAre(0, 1, 10, 11, 20, 21, 100, 101, 110, 111, 120, 121));
}

TEST_F(Npy, ReadsBigEndianFortranOrder) {
  const Array array = read(npy(1, header(">i2", "(2, 2)", true), "\0\1\0\3\0\2\0\4"s));
  EXPECT_THAT(values_of<std::int16_t>(array), ElementsAre(1, 2, 3, 4));
}

TEST_F(Npy, WidensFloat16Exactly) {
  // 1, -2, 65504 (largest), 2^-24 (smallest), 2^-14 (smallest normal), -0, 1/3 rounded, inf, nan
  const std::string halves =
      "\x00\x3C\x00\xC0\xFF\x7B\x01\x00\x00\x04\x00\x80\x55\x35\x00\x7C\x00\x7E"s;
  const std::vector<float> values = values_of<float>(read(npy(1, header("<f2", "(9,)"), halves)));

  ASSERT_EQ(values.size(), 9U);
  EXPECT_EQ(values[0], 1.0F);
  EXPECT_EQ(values[1], -2.0F);
  EXPECT_EQ(values[2], 65504.0F);
  EXPECT_EQ(values[3], 0x1p-24F);
  EXPECT_EQ(values[4], 0x1p-14F);
  EXPECT_TRUE(values[5] == 0 && std::signbit(values[5]));
  EXPECT_EQ(values[6], 0.333251953125F);
  EXPECT_EQ(values[7], INFINITY);
  EXPECT_TRUE(std::isnan(values[8]));
  EXPECT_THAT(values_of<float>(read(npy(1, header(">f2", "(1,)"), "\x3C\x00"s))),
              ElementsAre(1.0F));
}

TEST_F(Npy, ReadsBoolAsZeroAndOne) {
  EXPECT_THAT(values_of<std::uint8_t>(read(npy(1, header("|b1", "(3,)"), "\1\0\x02"s))),
              ElementsAre(1, 0, 1));
}

TEST_F(Npy, RefusesWhatIsNotANumber) {
  expect_refused(npy(1, header("|O", "(1,)"), "x"), {"'|O'", "Python objects"});
  expect_refused(npy(1, header("<U4", "(1,)"), std::string(16, 'x')), {"'<U4'"});
  expect_refused(npy(1, header("<c8", "(1,)"), std::string(8, 'x')), {"'<c8'"});
  expect_refused(npy(1, header("<M8[ns]", "(1,)"), std::string(8, 'x')), {"'<M8[ns]'"});
  expect_refused(npy(1, header("<f16", "(1,)"), std::string(16, 'x')), {"'<f16'"});
  expect_refused(npy(1, "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "abcd"),
                 {"structured"});
}

TEST_F(Npy, RefusesAScalarAndAnEmptyArray) {
  expect_refused(npy(1, header("<f4", "()"), "abcd"), {"at least one axis", "scalar"});
  expect_refused(npy(1, header("<f4", "(0, 3)"), ""), {"at least one number", "(0, 3)"});
}

TEST_F(Npy, RefusesAFileThatIsTooShortAtEveryLength) {
  const std::string whole = npy(2, header("<f4", "(2,)"), "abcdefgh");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    expect_refused(whole.substr(0, length), {path_.string(), "expected"});
  }
  expect_refused(whole + "x", {"8 bytes", "got 9"});
}

TEST_F(Npy, RefusesExtentsThatDoNotFit) {
  expect_refused(npy(1, header("<f8", "(2305843009213693952, 1)"), "abcdefgh"), {"23058430092"});
  expect_refused(npy(1, header("<f8", "(99999999999999999999,)"), "abcdefgh"), {"extents"});
  expect_refused(npy(1, header("<f8", "(-1,)"), "abcdefgh"), {"extents", "-1"});
}

TEST_F(Npy, RefusesADamagedHeader) {
  expect_refused("not numpy at all", {"NUMPY"});
  expect_refused(npy(1, "{'descr': '<f4', 'shape': (1,), }", "abcd"), {"'fortran_order'"});
  expect_refused(npy(1, "{'descr': '<f4', 'descr': '<f4', }", "abcd"), {"each once", "descr"});
  expect_refused(npy(1, "{'descr': '<f4", "abcd"), {"closing quote"});
  expect_refused(npy(1, "{'descr': '<f4', 'fortran_order': Perhaps, 'shape': (1,)}", "abcd"),
                 {"True or False", "Perhaps"});
  expect_refused(npy(1, "\x1B[2J", "abcd"), {"expected {", "\\x1b[2J"});
  expect_refused("\x93NUMPY\2\0\xFF\xFF\xFF\x7F"s, {"at most 65536 bytes", "2147483647"});
}

}  // namespace
}  // namespace lockstep
