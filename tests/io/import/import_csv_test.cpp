#include <zlib.h>

#include <cstring>

#include "io/table/import_table.hpp"
#include "tests/io/io_test_support.hpp"

namespace lockstep {
namespace {

using std::string_literals::operator""s;
using test::expect_error;
using test::TemporaryDirectory;
using test::write_bytes;
using testing::ElementsAre;
using testing::IsEmpty;

template <class T>
std::vector<T> values_of(const Array& array) {
  EXPECT_EQ(array.type, element_type_of<T>());
  std::vector<T> values(array.bytes.size() / sizeof(T));
  std::memcpy(values.data(), array.bytes.data(), array.bytes.size());
  return values;
}

struct CsvTable {
  Array x;
  Array y;
  std::vector<std::string> feature_names;
  std::vector<std::string> classes;
  std::vector<std::string> report;
};

CsvTable read_csv(const std::filesystem::path& path, const TableOptions& options) {
  ImportedTable table = import_table(path, "", options, {}, Unknown::kRefuse);
  return {std::move(*table.arrays.x_train), std::move(*table.arrays.y_train),
          table.mapping.feature_names(), table.mapping.classes(), table.report};
}

CsvTable read_csv(const std::filesystem::path& path, const std::string& label) {
  TableOptions options;
  options.label = label;
  return read_csv(path, options);
}

class Csv : public testing::Test {
 protected:
  CsvTable read(const std::string& text, const std::string& label) {
    write_bytes(path_, text);
    return read_csv(path_, label);
  }
  void expect_refused(const std::string& text, const std::string& label,
                      const std::vector<std::string>& words) {
    write_bytes(path_, text);
    expect_error(ExitCode::kBadData, words, [&] { read_csv(path_, label); });
  }

  TemporaryDirectory directory_;
  std::filesystem::path path_ = directory_ / "table.csv";
};

TEST_F(Csv, CutsTheLabelOutByName) {
  const CsvTable table = read("a,class,b\n1,0,-2.5\n3e2,1,+.25\n", "class");

  EXPECT_EQ(table.x.rows, 2);
  EXPECT_EQ(table.x.row_shape, Shape{2});
  EXPECT_THAT(values_of<float>(table.x), ElementsAre(1, -2.5, 300, 0.25));
  EXPECT_EQ(table.y.rows, 2);
  EXPECT_EQ(table.y.row_shape, Shape{});
  EXPECT_THAT(values_of<std::int64_t>(table.y), ElementsAre(0, 1));
  EXPECT_THAT(table.feature_names, ElementsAre("a", "b"));
  EXPECT_THAT(table.classes, IsEmpty());
}

TEST_F(Csv, CutsTheLabelOutByIndexFromBothEnds) {
  EXPECT_THAT(values_of<std::int64_t>(read("1,2,3\n4,5,6\n", "0").y), ElementsAre(1, 4));
  EXPECT_THAT(values_of<std::int64_t>(read("1,2,3\n4,5,6\n", "1").y), ElementsAre(2, 5));
  EXPECT_THAT(values_of<std::int64_t>(read("1,2,3\n4,5,6\n", "-1").y), ElementsAre(3, 6));
  EXPECT_THAT(values_of<float>(read("1,2,3\n4,5,6\n", "-3").x), ElementsAre(2, 3, 5, 6));
  expect_refused("1,2,3\n4,5,6\n", "3", {"'3'", "[-3, 3)", "'1', '2', '3'"});
  EXPECT_THAT(values_of<std::int64_t>(read("a,2020,b\n1,7,3\n", "2020").y), ElementsAre(7));
  expect_refused("a,b\n1,2\n", "c", {"line 1", "'c'", "'a', 'b'"});
}

TEST_F(Csv, FindsOutWhetherThereIsAHeader) {
  EXPECT_EQ(read("1,2\n3,4\n", "-1").x.rows, 2);
  EXPECT_EQ(read("x,y\n3,4\n", "-1").x.rows, 1);
  EXPECT_EQ(read("5.1,setosa\n4.9,virginica\n", "-1").x.rows, 2) << "words as labels, no header";
  EXPECT_EQ(read("0,1,label\n5,6,7\n", "label").x.rows, 1);
  EXPECT_EQ(read("label,0,1\n7,5,6\n", "-3").x.rows, 1) << "pandas' names of columns";
  EXPECT_THAT(read("1,2\n3,4\n", "-1").feature_names, ElementsAre("0"));
  expect_refused("x,y\n", "y", {"rows below the header"});
}

TEST_F(Csv, NumbersWordsInAlphabeticalOrder) {
  const CsvTable table = read("1,setosa\n2,virginica\n3, setosa \n4,\"a, b\"\n", "1");

  EXPECT_THAT(table.classes, ElementsAre("a, b", "setosa", "virginica"));
  EXPECT_THAT(values_of<std::int64_t>(table.y), ElementsAre(1, 2, 1, 0));
}

TEST_F(Csv, KeepsLabelsThatAreNotIntegersAsFloats) {
  EXPECT_THAT(values_of<float>(read("1,2\n3,4.5\n", "1").y), ElementsAre(2, 4.5));
}

TEST_F(Csv, RefusesAMixtureOfNumbersAndWordsAsLabels) {
  expect_refused("1,7\n2,8\n3,O\n", "1", {"line 3", "number as on line 1", "'O'"});
  expect_refused("1,x\n2,y\n3,4\n", "1", {"line 3", "word as on line 1", "'4'"});
}

TEST_F(Csv, UnderstandsQuotesAsInRfc4180) {
  const CsvTable table =
      read("\"a, \"\"quoted\"\"\",\"two\nlines\",y\n\"1\",2,\"0\"\n3,4,1\n", "y");

  EXPECT_THAT(table.feature_names, ElementsAre("a, \"quoted\"", "two\nlines"));
  EXPECT_THAT(values_of<float>(table.x), ElementsAre(1, 2, 3, 4));
  expect_refused("a,b\n1,2\n\"3,4\n5,6\n", "b", {"line 3", "closing quote"});
  expect_refused("a,b\n\"1\"x,2\n", "b", {"line 2", "separator after a closing quote"});
}

TEST_F(Csv, KeepsRowsThatBeginWithAHash) {
  TableOptions options;
  options.label = "y";
  options.drop = "id";
  const auto x = [&](const std::string& text) {
    write_bytes(path_, text);
    return values_of<float>(read_csv(path_, options).x);
  };
  EXPECT_THAT(x("id,a,y\nk,1,0\n#2, \"3\",1\n# a note\n#3,4,1\n"), ElementsAre(1, 3, 4));
  EXPECT_THAT(x("id,a,y\n#1,\"2\",0\n#\"a\",\"3\",1\n#5,4,1\n"), ElementsAre(2, 3, 4));
  EXPECT_THAT(x("# a note\n#id,a,y\n#1,2,0\n#2,3,1\n7,4,1\n"), ElementsAre(2, 3, 4));
  EXPECT_THAT(x("#id,a,y\n#1,2,0\n#2,3,1\n"), ElementsAre(2, 3)) << "all lines";
  EXPECT_THAT(x("# \"a\" note, \"b\" c\n# id,a,y\n1,2,0\n2,3,1\n"), ElementsAre(2, 3));
  EXPECT_THAT(x("# a,b,c\n# id,a,y\n1,2,0\n2,3,1\n"), ElementsAre(2, 3)) << "as before";
  EXPECT_THAT(x("id a y\n1 2 0\n# of \"many words\n2 3 1\n"), ElementsAre(2, 3)) << "blanks";
  expect_refused("id,a,y\nk,1,0\n#2,3\n", "y", {"line 3", "3 columns", "got 2"});

  options.drop = "id,b";
  EXPECT_THAT(x("id,b,a,y\nk,t,1,0\n#2,\"two\nlines\",3,1\n"), ElementsAre(1, 3));

  const CsvTable quoted = read("n,y\nu,0\n#1,1\n\"#1\",0\nu,1\n", "y");
  EXPECT_THAT(quoted.feature_names, ElementsAre("n=#1", "n=u"));
  const CsvTable comma = read("n,y\n#1,\"a, b\"\n#1,c\n#2,c\n#2,\"a, b\"\n", "y");
  EXPECT_THAT(comma.classes, ElementsAre("a, b", "c"));
}

TEST_F(Csv, RefusesWhatIsNotUtf8) {
  for (const char* bytes : {"\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
                            "\xC1\xBF", "\xF5\x80\x80\x80", "\xE2\x82"})
    expect_refused("a,y\n1,u\n2,"s + bytes + "\n", "y", {"line 3", "expected UTF-8"});
  for (const char* bytes : {"\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xF0\x90\x80\x80",
                            "\xF4\x8F\xBF\xBF", "\xF3\xBF\xBF\xBF", "\xC2\x80"})
    EXPECT_THAT(read("a,y\n1,"s + bytes + "\n2,!\n", "y").classes, ElementsAre("!", bytes));
}

TEST_F(Csv, CountsLinesInsideQuotes) {
  expect_refused("\"a\nb\",c\n1,2\n3,x\n5,6\n", "0", {"line 4", "'x'"});
}

TEST_F(Csv, ReadsCrLfBlankLinesByteOrderMarkAndNoLastLineFeed) {
  const CsvTable table = read("\xEF\xBB\xBF\"a\",b\r\n1,\"2\"\r\n\r\n3,4", "a");

  EXPECT_THAT(values_of<std::int64_t>(table.y), ElementsAre(1, 3));
  EXPECT_THAT(values_of<float>(table.x), ElementsAre(2, 4));
}

TEST_F(Csv, FindsTheSeparatorInTheFirstLine) {
  EXPECT_THAT(values_of<float>(read("a;b;c\n1;2;3\n", "c").x), ElementsAre(1, 2));
  EXPECT_THAT(values_of<float>(read("a\tb\tc\n1\t2\t3\n", "c").x), ElementsAre(1, 2));
  EXPECT_THAT(values_of<float>(read("\"a;;;\",b\n1,2\n", "b").x), ElementsAre(1));
  EXPECT_THAT(values_of<float>(read("a|b\n1|2\n", "b").x), ElementsAre(1));
  EXPECT_THAT(values_of<float>(read("  a  b\n 1\t 2  \n", "b").x), ElementsAre(1));
  EXPECT_THAT(values_of<float>(read("sep=;\na;b\n1;2\n", "b").x), ElementsAre(1));
  expect_refused("a\n1\n", "a", {"at least two columns"});
}

TEST_F(Csv, ReadsGzippedFiles) {
  const gzFile file = gzopen(path_.c_str(), "wb");
  gzputs(file, "a,b\n1,2\n");
  gzclose(file);
  EXPECT_THAT(values_of<float>(read_csv(path_, "b").x), ElementsAre(1));
}

TEST_F(Csv, NamesLineAndColumnOfAMissingCell) {
  expect_refused("age,size,y\n1,2,0\n3,,1\n", "y",
                 {"line 3", "column 2 (size)", "finite number", "an empty cell"});
  expect_refused("age,size,y\n1,2,0\n3,4,\n", "y", {"line 3", "column 3 (the label)", "empty"});
  expect_refused("y,age,size\n0,1,2\n1,3,NA\n", "y", {"line 3", "column 3 (size)", "'NA'"});
  expect_refused("1,,3\n4,5,6\n", "0", {"line 1", "column 2", "empty"});
}

TEST_F(Csv, RefusesNumbersThatAreNotFinite) {
  for (const std::string bad : {"nan", "inf", "-inf", "1e39", "1e999", "0x10", "1 2", "1.2.3"}) {
    expect_refused("a,y\n1,0\n" + bad + ",1\n", "y", {"line 3", "finite number", bad});
  }
  EXPECT_THAT(values_of<float>(read("a,y\n1e-60,0\n", "y").x), ElementsAre(0));
}

TEST_F(Csv, RoundsToTheNearestFloatOnce) {
  // Just above the middle of 1 and the next float: by way of double it would be rounded to 1.
  EXPECT_THAT(values_of<float>(read("a,y\n1.00000005960464477540,0\n", "y").x),
              ElementsAre(0x1.000002p0F));
}

TEST_F(Csv, NamesTheLineOfARaggedRow) {
  expect_refused("a,b,y\n1,2,0\n\n1,2\n", "y", {"line 4", "expected 3 columns", "got 2"});
  expect_refused("a,b,y\n1,2,0,7,8\n", "y", {"line 2", "expected 3 columns", "got 5"});
  expect_refused("1,2\n3,4,5\n", "0", {"line 2", "expected 2 columns", "got 3"});
}

TEST_F(Csv, ShowsForeignBytesEscapedAndCut) {
  expect_refused("a,y\n\x1B[2J\0,1\n"s, "y", {"'\\x1b[2J\\x00'"});
  expect_refused("a,y\n" + std::string(5000, 'z') + ",1\n", "y", {"zzz..."});
}

TEST_F(Csv, RefusesAnEmptyFileAndAnEndlessRecord) {
  expect_refused("", "0", {"lines of numbers or words", "got none"});
  expect_refused("\n\r\n", "0", {"got none"});
  expect_refused("a,y\n\"" + std::string(17 << 20, 'x'), "y", {"line 2", "16777216 bytes"});
  expect_refused("a,y\n" + std::string(1'000'000, ','), "y", {"line 2", "1000000 fields"});
  expect_error(ExitCode::kMissingInput, {"none.csv"},
               [&] { read_csv(directory_ / "none.csv", "0"); });
}

TEST_F(Csv, ReadsRecordsThatCrossTheEndsOfBlocks) {
  std::string text = "a,b,y\n";
  for (int i = 0; i < 60000; ++i) text += fmt::format("{},\"{}\",{}\r\n", i, 2 * i, i % 10);
  const CsvTable table = read(text, "y");

  const std::vector<float> x = values_of<float>(table.x);
  const std::vector<std::int64_t> y = values_of<std::int64_t>(table.y);
  ASSERT_EQ(x.size(), 120000U);
  for (std::size_t i = 0; i < 60000; ++i) {
    ASSERT_EQ(x[2 * i], static_cast<float>(i));
    ASSERT_EQ(x[2 * i + 1], static_cast<float>(2 * i));
    ASSERT_EQ(y[i], static_cast<std::int64_t>(i % 10));
  }
}

}  // namespace
}  // namespace lockstep
