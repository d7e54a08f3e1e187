#include "launch/commands/import_table_options.hpp"

#include "io/import/csv_dialect.hpp"
#include "src/core/error.hpp"

namespace lockstep {
namespace {

using Texts = std::vector<std::string>;

std::string text_of(const po::variables_map& given, const char* name) {
  return given.count(name) == 0 ? "" : given[name].as<std::string>();
}

Texts texts_of(const po::variables_map& given, const char* name) {
  return given.count(name) == 0 ? Texts() : given[name].as<Texts>();
}

double fraction_of(const po::variables_map& given, const char* name) {
  if (given.count(name) == 0) return 0;
  const auto fraction = given[name].as<double>();
  check(fraction > 0 && fraction < 1, ExitCode::kUsage,
        "[import] --{}: expected a fraction between 0 and 1, got {}", name, fraction);
  return fraction;
}

}  // namespace

const char* const kTableHelp = R"(Options of csv:
  --train FILE             the table: UTF-8 or UTF-16, gzipped or plain; comma, semicolon, tab, bar
                           or blanks between the fields; quotes as in RFC 4180; lines that begin
                           with # and have no such fields are comments
  --label COLUMN           what is to be predicted. Words become classes 0, 1, ... in alphabetical
                           order; several labels (a,b,c) must be numbers
  --classes NAMES          class 0, 1, ... in this order (a,b,c), or "sorted": also for a label of
                           numbers, which otherwise stays as it is
  --id COLUMN              names the rows: no feature; predictions carry it
  --drop COLUMNS           not used
  --header yes|no|auto     whether the first line names the columns (auto: found out, or asked for)
  --separator comma|semicolon|tab|bar|blanks    of --train and --test (found out)
  --decimal point|comma    of both as well (found out)
  --categorical COLUMNS    words, or numbers that stand for words: a feature of 0 or 1 for each
  --ordinal 'COLUMN=low<middle<high'   words with an order: one feature 0, 1, 2; without a list in
                           alphabetical order; may be given more than once, as may be the next three
  --date COLUMN=d/m/y      how to read dates (y-m-d, d/m/y, m/d/y) that can be read in two ways
  --missing HOW            what to do about missing values: error (default), mean, median, most,
                           zero, indicator (mean, and a feature that says so), drop (the row).
                           Means are those of the rows to train on. Of words always the most
                           frequent one; zero, indicator: none of them. COLUMN=HOW for one column
  --missing-mark TEXT      a mark of missing values, beside an empty cell, NA, N/A, NaN, null,
                           None, ?, - and pandas' others; of a number (-999) in any form (-999.0)
  --test FILE              a second table of the same columns
  --unknown refuse|zero    words in it that the first one lacks: refuse, or none of the words known
  --test-split FRACTION    or: test rows drawn from --train, of every class the same share
  --test-split-last FRACTION   or: its last rows, for time series
  --validation-split FRACTION  rows drawn for x_val and y_val (train --x-val x_val --y-val y_val)
  --seed S                 the drawn rows are a function of it (default 0)
  --window N               time series: a sample is N consecutive rows, x (N, features); the file
                           holds the rows once, and windows are cut when they are used
  --horizon H              the label's next H rows are to be predicted, y (H); 0: that of the
                           window's last row [default: 1]
  --step S                 rows from window to window [default: 1]
  --group COLUMN           tells series apart; rows of one are in the order of time
  --past-labels yes|no     whether the label's past is among the features [yes, unless H is 0]
                           With --window, --test-split-last and --validation-split cut each series
                           by time; windows are in the order of time

What columns become, if no option says it: numbers stay as they are; true and false, or yes and no,
1 and 0; dates days since 1970-01-01 (with times: seconds since the first day); at most 50 different
words, in at most half as many as there are rows, a feature each. Anything else is refused: numbers
among words, more words, percent signs, currencies, thousands separators, infinity. A first column
without a name, or of row numbers under pandas' or R's names for them, is dropped. COLUMN is a name,
or an index from 0 (-1: the last column); COLUMNS are several, with commas. What was taken for what
is printed, kept in the dataset and the model, and applied to new tables by lockstep predict
--table.

)";

void add_table_options(po::options_description& options) {
  auto add = options.add_options();
  for (const char* name : {"train", "test", "label", "classes", "id", "drop", "header", "separator",
                           "decimal", "categorical", "unknown", "group", "past-labels"})
    add(name, po::value<std::string>());
  for (const char* name : {"ordinal", "date", "missing", "missing-mark"})
    add(name, po::value<Texts>());
  for (const char* name : {"window", "horizon", "step"}) add(name, po::value<std::int64_t>());
  add_split_options(options);
}

Unknown unknown_from_text(const std::string& text) {
  check(text == "refuse" || text == "zero", ExitCode::kUsage,
        "[options] --unknown: expected refuse or zero, got '{}'", printable(text));
  return text == "zero" ? Unknown::kZero : Unknown::kRefuse;
}

std::optional<bool> header_from_text(const std::string& word) {
  if (word.empty() || word == "auto") return std::nullopt;
  check(word == "yes" || word == "no", ExitCode::kUsage,
        "[import] --header: expected yes, no or auto, got '{}'", printable(word));
  return word == "yes";
}

std::optional<char> separator_from_text(const std::string& word) {
  if (word.empty() || word == "auto") return std::nullopt;
  for (const char c : {',', ';', '\t', '|', kBlanks})
    if (word == separator_name(c) || word == std::string(1, c)) return c;
  fail(ExitCode::kUsage,
       "[options] --separator: expected comma, semicolon, tab, bar, blanks or auto, got '{}'",
       printable(word));
}

std::optional<char> decimal_from_text(const std::string& word) {
  if (word.empty() || word == "auto") return std::nullopt;
  check(word == "point" || word == "comma", ExitCode::kUsage,
        "[options] --decimal: expected point, comma or auto, got '{}'", printable(word));
  return word == "comma" ? ',' : '.';
}

void add_split_options(po::options_description& options) {
  auto add = options.add_options();
  for (const char* name : {"test-split", "test-split-last", "validation-split"})
    add(name, po::value<double>());
  add("seed", po::value<std::uint64_t>());
}

TableSplit split_from_options(const po::variables_map& given) {
  TableSplit split{fraction_of(given, "test-split"), fraction_of(given, "test-split-last"),
                   fraction_of(given, "validation-split"),
                   given.count("seed") == 0 ? 0 : given["seed"].as<std::uint64_t>()};
  const int tests = (given.count("test") > 0) + (split.test > 0) + (split.test_last > 0);
  check(tests <= 1, ExitCode::kUsage,
        "[import] expected one of --test, --test-split and --test-split-last, got both");
  return split;
}

/// What --window needs and excludes, too.
void read_window_options(const po::variables_map& given, TableSource& source) {
  WindowRule& rule = source.options.windows;
  const auto number = [&](const char* name, std::int64_t least, std::int64_t otherwise) {
    if (given.count(name) == 0) return otherwise;
    check(name == std::string_view("window") || given.count("window") > 0, ExitCode::kUsage,
          "[import] --{}: expected --window N with it, got none", name);
    const auto value = given[name].as<std::int64_t>();
    check(value >= least && value <= 1'000'000'000, ExitCode::kUsage,
          "[import] --{}: expected an integer from {} to 1000000000, got {}", name, least, value);
    return value;
  };
  rule = {number("window", 1, 0), number("horizon", 0, 1), number("step", 1, 1),
          text_of(given, "group")};
  const std::string past = text_of(given, "past-labels");
  check(past.empty() || past == "yes" || past == "no", ExitCode::kUsage,
        "[import] --past-labels: expected yes or no, got '{}'", printable(past));
  source.options.past_labels = past != "no";
  if (rule.length == 0) {
    for (const char* name : {"group", "past-labels"})
      check(given.count(name) == 0, ExitCode::kUsage,
            "[import] --{}: expected --window N with it, got none", name);
    return;
  }
  check(given.count("test") == 0 && given.count("test-split") == 0, ExitCode::kUsage,
        "[import] expected --test-split-last with --window, which leaves the last rows of each "
        "series for tests, got --test{}",
        given.count("test") > 0 ? "" : "-split");
  for (const std::string& how : source.options.missing)
    check(how != "drop" && !how.ends_with("=drop"), ExitCode::kUsage,
          "[import] expected another --missing than drop with --window, since a row that is left "
          "out leaves a gap in its series");
}

TableSource table_source(const po::variables_map& given) {
  TableSource source;
  source.train = text_of(given, "train");
  source.test = text_of(given, "test");
  check(!source.train.empty(), ExitCode::kUsage, "[import] expected --train FILE, got none");
  TableOptions& options = source.options;
  options.format = {header_from_text(text_of(given, "header")),
                    separator_from_text(text_of(given, "separator")),
                    decimal_from_text(text_of(given, "decimal")), texts_of(given, "missing-mark")};
  options.label = text_of(given, "label");
  check(!options.label.empty(), ExitCode::kUsage,
        "[import] expected --label COLUMN (a name, or an index: -1 is the last column), got none");
  options.classes = text_of(given, "classes");
  options.id = text_of(given, "id");
  options.drop = text_of(given, "drop");
  options.categorical = text_of(given, "categorical");
  options.ordinal = texts_of(given, "ordinal");
  options.dates = texts_of(given, "date");
  options.missing = texts_of(given, "missing");
  source.split = split_from_options(given);
  read_window_options(given, source);
  if (given.count("unknown") > 0) source.unknown = unknown_from_text(text_of(given, "unknown"));
  return source;
}

}  // namespace lockstep
