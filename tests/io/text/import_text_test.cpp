#include "io/text/import_text.hpp"

#include <nlohmann/json.hpp>

#include "io/text/text_lines.hpp"
#include "tests/io/io_test_support.hpp"

namespace lockstep {
namespace {

using test::error_of;
using test::write_bytes;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

template <class T>
std::vector<T> numbers(const std::optional<Array>& array) {
  const auto* first = reinterpret_cast<const T*>(array->bytes.data());
  return {first, first + array->bytes.size() / sizeof(T)};
}

class ImportText : public testing::Test {
 protected:
  TextOptions table(const std::string& text) const {
    write_bytes(directory_ / "t.csv", text);
    TextOptions options;
    options.files = {directory_ / "t.csv"};
    options.table.label = "label";
    return options;
  }
  TextOptions running(const std::string& text, std::int64_t length) const {
    write_bytes(directory_ / "t.txt", text);
    TextOptions options;
    options.form = TextOptions::Form::kNext;
    options.files = {directory_ / "t.txt"};
    options.rules = {TokenRules::Unit::kCharacters, false, ""};
    options.length = length;
    return options;
  }

  test::TemporaryDirectory directory_;
};

constexpr const char* kReviews =
    "text,label\n"
    "\"good, very good\",pos\n"
    "bad,neg\n"
    "very very bad end,neg\n";

TEST_F(ImportText, MakesSequencesAndClassesOfATable) {
  const ImportedText made = import_text(table(kReviews), {});
  EXPECT_THAT(made.mapping.vocabulary, ElementsAre("very", "good", "bad", "end"));
  EXPECT_EQ(made.mapping.length, 4);
  EXPECT_THAT(numbers<std::uint8_t>(made.arrays.x_train),
              ElementsAre(0, 3, 2, 3, 0, 0, 0, 4, 2, 2, 4, 5));
  EXPECT_THAT(numbers<std::int64_t>(made.arrays.y_train), ElementsAre(1, 0, 0));
  EXPECT_THAT(made.mapping.table.classes(), ElementsAre("neg", "pos"));
  EXPECT_EQ(made.mapping.column, "text");
}

TEST_F(ImportText, LearnsTheVocabularyOfTheRowsToTrainOn) {
  const ImportedText made = import_text(table(kReviews), {.test_last = 0.3});
  EXPECT_THAT(made.mapping.vocabulary, ElementsAre("good", "very", "bad"));
  EXPECT_EQ(made.mapping.length, 3);
  EXPECT_THAT(numbers<std::uint8_t>(made.arrays.x_test), ElementsAre(3, 4, 1));
  EXPECT_THAT(made.report.back(),
              AllOf(HasSubstr("test: 1 texts of 4 tokens, 25.0%"), HasSubstr("1 cut off to 3")));
}

TEST_F(ImportText, ReadsASecondTableByTheFirst) {
  TextOptions options = table(kReviews);
  write_bytes(directory_ / "u.csv", "label,other,text\npos,1,good new end\n");
  options.test = directory_ / "u.csv";
  const ImportedText made = import_text(options, {});
  EXPECT_THAT(numbers<std::uint8_t>(made.arrays.x_test), ElementsAre(0, 3, 1, 5));
  EXPECT_THAT(numbers<std::int64_t>(made.arrays.y_test), ElementsAre(1));
  write_bytes(directory_ / "u.csv", "label,words\npos,good\n");
  EXPECT_THAT(error_of([&] { import_text(options, {}); }).what(), HasSubstr("'text'"));
  write_bytes(directory_ / "u.csv", "label,text\nso-so,good\n");
  EXPECT_THAT(error_of([&] { import_text(options, {}); }).what(), HasSubstr("'so-so'"));
}

TEST_F(ImportText, WantsToKnowTheColumnWhereSeveralMayBeIt) {
  TextOptions options = table("a,b,label\nx,y,0\nu,v,1\n");
  EXPECT_THAT(error_of([&] { import_text(options, {}); }).what(),
              AllOf(HasSubstr("--text COLUMN"), HasSubstr("'a', 'b'")));
  options.text = "b";
  const ImportedText made = import_text(options, {});
  EXPECT_THAT(made.mapping.vocabulary, ElementsAre("y", "v"));
  EXPECT_THAT(made.mapping.table.dropped, ElementsAre("a"));
  options.text = "label";
  EXPECT_EQ(error_of([&] { import_text(options, {}); }).code(), ExitCode::kUsage);
}

TEST_F(ImportText, TakesEachFileForAClass) {
  write_bytes(directory_ / "spam.txt", "buy now\n\nbuy buy\r\n");
  write_bytes(directory_ / "ham.txt", "hello\n");
  TextOptions options;
  options.form = TextOptions::Form::kLines;
  options.files = {directory_ / "spam.txt", directory_ / "ham.txt"};
  const ImportedText made = import_text(options, {});
  EXPECT_THAT(made.mapping.table.classes(), ElementsAre("ham", "spam"));
  EXPECT_THAT(numbers<std::int64_t>(made.arrays.y_train), ElementsAre(1, 1, 0));
  EXPECT_THAT(numbers<std::uint8_t>(made.arrays.x_train), ElementsAre(2, 3, 2, 2, 0, 4));
}

TEST_F(ImportText, KeepsTheVocabularyThroughItsText) {
  const ImportedText made = import_text(table("text,label\nna\xC3\xAFve \"\"q,1\n\x01,0\n"), {});
  EXPECT_TRUE(is_text_mapping(made.arrays.table_mapping));
  const TextMapping back = text_mapping_from_json(made.arrays.table_mapping, "m.h5");
  EXPECT_EQ(back.vocabulary, made.mapping.vocabulary);
  EXPECT_EQ(back.table.labels.front().name, "label");
  EXPECT_EQ(to_json_text(back), made.arrays.table_mapping);
  EXPECT_FALSE(is_text_mapping(""));
  EXPECT_FALSE(is_text_mapping("{\"format\":1}"));
  for (const char* damaged : {"{\"kind\":\"text\"}", "[1]", "{\"kind\":\"text\",\"format\":2}"}) {
    const Error error = error_of([&] { text_mapping_from_json(damaged, "m.h5"); });
    EXPECT_EQ(error.code(), ExitCode::kBadData);
    EXPECT_THAT(error.what(), HasSubstr("[m.h5]"));
  }
}

TEST_F(ImportText, CutsRunningTextIntoRowsWhoseTargetsAreNext) {
  const ImportedText made = import_text(running("abcabcab", 3), {});
  EXPECT_THAT(numbers<std::uint8_t>(made.arrays.x_train), ElementsAre(2, 3, 4, 2, 3, 4));
  EXPECT_THAT(numbers<std::uint8_t>(made.arrays.y_train), ElementsAre(3, 4, 2, 3, 4, 2));
  EXPECT_EQ(made.arrays.y_train->row_shape, Shape{3});
  TextOptions overlapping = running("abcab", 3);
  overlapping.step = 1;
  EXPECT_THAT(numbers<std::uint8_t>(import_text(overlapping, {}).arrays.x_train),
              ElementsAre(2, 3, 4, 3, 4, 2));
}

TEST_F(ImportText, SplitsRunningTextByPosition) {
  const ImportedText made =
      import_text(running("aaaabbbbccaaddda", 2), {.test_last = 0.25, .validation = 0.25});
  EXPECT_THAT(made.mapping.vocabulary, ElementsAre("a", "b", "c"));
  EXPECT_THAT(numbers<std::uint8_t>(made.arrays.x_train), ElementsAre(2, 2, 2, 2, 3, 3, 3, 3));
  EXPECT_THAT(numbers<std::uint8_t>(made.arrays.x_val), ElementsAre(4, 2));
  EXPECT_THAT(numbers<std::uint8_t>(made.arrays.x_test), ElementsAre(1, 1));
  EXPECT_THAT(numbers<std::uint8_t>(made.arrays.y_test), ElementsAre(1, 1));
  EXPECT_THAT(error_of([&] { import_text(running("abc", 3), {}); }).what(),
              AllOf(HasSubstr("at least 4 characters for train"), HasSubstr("got 3")));
}

TEST_F(ImportText, SaysWhereTextIsNotUtf8) {
  write_bytes(directory_ / "l1.txt", "gut\nsch\xF6n\n");
  const Error error = error_of([&] { read_text(directory_ / "l1.txt"); });
  EXPECT_EQ(error.code(), ExitCode::kBadData);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("line 2, byte 4"), HasSubstr("0xf6")));
  write_bytes(directory_ / "blank.txt", " \n\n");
  EXPECT_EQ(error_of([&] { read_text_lines(directory_ / "blank.txt"); }).code(),
            ExitCode::kBadData);
}

}  // namespace
}  // namespace lockstep
