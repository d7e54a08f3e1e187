#include "launch/commands/import_text_options.hpp"

#include <array>
#include <utility>

#include "io/import/utf8.hpp"
#include "launch/commands/import_table_options.hpp"
#include "src/core/error.hpp"

namespace lockstep {
namespace {

using Form = TextOptions::Form;
using Unit = TokenRules::Unit;

std::string text_of(const po::variables_map& given, const char* name) {
  return given.count(name) == 0 ? "" : given[name].as<std::string>();
}

/// One of two words; the first one if the option is not given.
bool is_first(const po::variables_map& given, const char* name, const char* first,
              const char* second) {
  const std::string word = text_of(given, name);
  check(word.empty() || word == first || word == second, ExitCode::kUsage,
        "[import] --{}: expected {} or {}, got '{}'", name, first, second, printable(word));
  return word != second;
}

std::int64_t number_of(const po::variables_map& given, const char* name, std::int64_t least) {
  if (given.count(name) == 0) return 0;
  const auto number = given[name].as<std::int64_t>();
  check(number >= least && number <= 1'000'000'000, ExitCode::kUsage,
        "[import] --{}: expected an integer from {} to 1000000000, got {}", name, least, number);
  return number;
}

Form form_of(const po::variables_map& given) {
  const std::array<std::pair<const char*, bool>, 3> forms = {
      {{"--label COLUMN", given.count("label") > 0},
       {"--label-by-file", given["label-by-file"].as<bool>()},
       {"--next", given["next"].as<bool>()}}};
  int wanted = 0;
  for (const auto& [name, is_given] : forms) wanted += is_given ? 1 : 0;
  check(wanted == 1, ExitCode::kUsage,
        "[import] expected one of --label COLUMN (a table), --label-by-file (a file of lines for "
        "each class) and --next (running text, for a language model), got {}",
        wanted == 0 ? "none" : "several");
  return forms[0].second ? Form::kTable : forms[1].second ? Form::kLines : Form::kNext;
}

/// Options that mean nothing for this form.
void refuse_options_of_others(const po::variables_map& given, Form form) {
  const auto refuse = [&](std::initializer_list<const char*> names, const char* why) {
    for (const char* name : names)
      check(given.count(name) == 0, ExitCode::kUsage, "[import] --{}: {}", name, why);
  };
  if (form != Form::kTable)
    refuse({"text", "id", "classes", "missing", "header", "separator"},
           "expected it only with --label COLUMN, for a table");
  if (form == Form::kLines)
    refuse({"test"}, "expected --test-split with --label-by-file, which draws from all files");
  if (form != Form::kNext) return refuse({"step"}, "expected it only with --next");
  refuse({"test-split"},
         "expected --test-split-last with --next, which leaves the text's last part for tests");
  refuse({"padding", "truncating"}, "expected none with --next, whose rows are all full");
  check(given.count("length") > 0, ExitCode::kUsage,
        "[import] expected --length N with --next, the number of tokens in a row, got none");
}

TokenRules rules_of(const po::variables_map& given, Form form) {
  TokenRules rules;
  const bool words = form == Form::kNext ? !is_first(given, "tokens", "characters", "words")
                                         : is_first(given, "tokens", "words", "characters");
  rules.unit = words ? Unit::kWords : Unit::kCharacters;
  rules.lower = words ? is_first(given, "lower-case", "yes", "no")
                      : !is_first(given, "lower-case", "no", "yes");
  check(words || given.count("filter") == 0, ExitCode::kUsage,
        "[import] --filter: expected it only with --tokens words");
  if (!words) rules.filter.clear();
  if (given.count("filter") == 0) return rules;
  const std::string filter = text_of(given, "filter");
  check(valid_utf8(filter) == filter.size(), ExitCode::kUsage,
        "[import] --filter: expected characters in UTF-8, got '{}'", printable(filter));
  rules.filter = filter == "none" ? "" : filter;
  return rules;
}

TableOptions table_options(const po::variables_map& given) {
  TableOptions table;
  table.label = text_of(given, "label");
  table.id = text_of(given, "id");
  table.classes = text_of(given, "classes");
  table.format.header = header_from_text(text_of(given, "header"));
  table.format.separator = separator_from_text(text_of(given, "separator"));
  if (given.count("missing") > 0) table.missing = given["missing"].as<std::vector<std::string>>();
  for (const std::string& how : table.missing)
    check(how.ends_with("=drop"), ExitCode::kUsage,
          "[import] --missing: expected COLUMN=drop, got '{}': nothing is filled in for texts and "
          "labels",
          printable(how));
  return table;
}

}  // namespace

const char* const kTextHelp = R"(Options of text:
  --label COLUMN           FILE is a table (CSV, TSV, as for csv) with a text and a label in each
                           row; words become classes 0, 1, ... in alphabetical order
  --text COLUMN            where the texts are [default: the only column beside label and id]
  --id COLUMN  --classes NAMES  --header yes|no|auto  --separator WORD  --missing COLUMN=drop
                           of the table, as for csv
  --label-by-file          or: each line is a text, each FILE a class: pos.txt neg.txt
  --next                   or: running text; targets are the next tokens, for a language model:
                           x and y (rows, N), y one token later; lockstep generate samples from it
  --tokens words|characters    characters are code points [words; with --next characters]
  --vocabulary-size N      numbers at most: 0 is padding, 1 every unknown token, 2 the most frequent
                           one of the rows to train on, and so on, those of equal frequency as they
                           first appear. Embedding(N, ...) takes them [default: all tokens]
  --lower-case yes|no      before all else [words: yes; characters: no]
  --filter CHARACTERS      become blanks between words, or none [Keras's: punctuation but ']
  --length N               tokens of a row [default: of the longest text to train on]
  --padding pre|post       where shorter texts are filled up with 0, as Keras's pad_sequences [pre]
  --truncating pre|post    where longer ones are cut off [pre]
  --step N                 with --next: tokens from row to row [default: as --length]
  --test FILE  --test-split F  --test-split-last F  --validation-split F  --seed S
                           as for csv; with --next the last parts of the text, in its order
The vocabulary is kept in the dataset and the model: lockstep predict --data TEXTS.txt.

)";

void add_text_options(po::options_description& options) {
  auto add = options.add_options();
  add("file", po::value<std::vector<std::string>>());
  for (const char* name : {"test", "text", "label", "id", "classes", "header", "separator",
                           "tokens", "lower-case", "filter", "padding", "truncating"})
    add(name, po::value<std::string>());
  add("missing", po::value<std::vector<std::string>>());
  for (const char* name : {"label-by-file", "next"}) add(name, po::bool_switch());
  for (const char* name : {"vocabulary-size", "length", "step"})
    add(name, po::value<std::int64_t>());
  add_split_options(options);
}

TextImport text_import(const po::variables_map& given) {
  TextImport result;
  TextOptions& options = result.options;
  if (given.count("file") > 0)
    for (const std::string& file : given["file"].as<std::vector<std::string>>())
      options.files.emplace_back(file);
  check(!options.files.empty(), ExitCode::kUsage,
        "[import] expected FILE (lockstep import text FILE ... --out FILE.h5), got none");
  options.form = form_of(given);
  refuse_options_of_others(given, options.form);
  options.test = text_of(given, "test");
  options.text = text_of(given, "text");
  options.table = table_options(given);
  options.rules = rules_of(given, options.form);
  options.vocabulary_size = number_of(given, "vocabulary-size", TextMapping::kFirst + 1);
  options.length = number_of(given, "length", 1);
  options.step = number_of(given, "step", 1);
  options.padding = is_first(given, "padding", "pre", "post") ? Side::kPre : Side::kPost;
  options.truncating = is_first(given, "truncating", "pre", "post") ? Side::kPre : Side::kPost;
  result.split = split_from_options(given);
  return result;
}

}  // namespace lockstep
