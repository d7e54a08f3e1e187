#include "io/text/import_text.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "io/data/sample_order.hpp"
#include "io/import/synthetic.hpp"
#include "io/table/import_table.hpp"
#include "io/text/labelled_texts.hpp"
#include "io/text/text_lines.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"
#include "src/core/range.hpp"

namespace lockstep {
namespace {

std::size_t most_tokens(const TextOptions& options) {
  return options.vocabulary_size == 0
             ? std::numeric_limits<std::int32_t>::max() - TextMapping::kFirst
             : static_cast<std::size_t>(options.vocabulary_size - TextMapping::kFirst);
}

TextMapping begin_mapping(const TextOptions& options) {
  TextMapping mapping;
  mapping.rules = options.rules;
  mapping.length = options.length;
  mapping.padding = options.padding;
  mapping.truncating = options.truncating;
  return mapping;
}

/// "words, in lower case; 5000 numbers (0 padding, 1 unknown, 2 'the', 3 'a', ...) of 8123 words:
/// Embedding(5000, ...)".
std::string vocabulary_line(const TextMapping& mapping, std::size_t distinct) {
  std::string first;
  for (std::size_t i = 0; i < std::min<std::size_t>(3, mapping.vocabulary.size()); ++i)
    first += fmt::format(", {} '{}'", i + TextMapping::kFirst,
                         printable(mapping.vocabulary[i], kShownOfCell));
  return fmt::format(
      "{}{}: {} numbers (0 padding, 1 unknown{}, ...) for {} different ones: Embedding({}, ...)",
      to_text(mapping.rules.unit), mapping.rules.lower ? " in lower case" : "", mapping.numbers(),
      first, distinct, mapping.numbers());
}

std::string percent(std::int64_t part, std::int64_t whole) {
  return fmt::format(
      "{:.1f}%", whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

// --- Texts with labels ---

template <class T>
std::vector<T> taken(const std::vector<T>& from, const std::vector<std::size_t>& rows) {
  std::vector<T> result;
  if (!from.empty())
    for (const std::size_t row : rows) result.push_back(from[row]);
  return result;
}

Array taken(const Array& from, const std::vector<std::size_t>& rows) {
  Array result{from.type, static_cast<std::int64_t>(rows.size()), from.row_shape, {}};
  const std::size_t bytes = from.view().row_bytes();
  for (const std::size_t row : rows) {
    const std::byte* at = from.view().row(static_cast<std::int64_t>(row));
    result.bytes.insert(result.bytes.end(), at, at + bytes);
  }
  return result;
}

/// Numbers the tokens of the texts to train on; returns how many different ones there are.
std::size_t learn_vocabulary(const LabelledTexts& all, const std::vector<std::size_t>& train,
                             const TextOptions& options, TextMapping& mapping) {
  VocabularyCounts counts;
  std::int64_t longest = 0;
  for (const std::size_t row : train) {
    std::int64_t tokens = 0;
    mapping.rules.for_each(all.texts[row], [&](std::string_view token) {
      counts.add(token);
      ++tokens;
    });
    longest = std::max(longest, tokens);
  }
  check(longest > 0, ExitCode::kBadData,
        "[import] {}: expected texts with {} to train on, got none",
        printable(options.files.front().string()), to_text(mapping.rules.unit));
  mapping.vocabulary = counts.vocabulary(most_tokens(options));
  if (mapping.length == 0) mapping.length = longest;
  return counts.distinct();
}

/// The rows of one part, with a line for the report.
void add_part(const char* name, const LabelledTexts& texts, const std::vector<std::size_t>& rows,
              const TextEncoder& encoder, std::optional<Array>& x, std::optional<Array>& y,
              RowNames& names, ImportedText& result) {
  if (rows.empty()) return;
  TextCounts counts;
  std::vector<std::string_view> views;
  for (const std::size_t row : rows) views.push_back(texts.texts[row]);
  x = encoder.rows(views, counts);
  y = taken(texts.labels, rows);
  names = row_names(taken(texts.ids, rows));
  result.report.push_back(
      fmt::format("{}: {} texts of {} tokens, {} of them unknown; {} cut off to {}", name,
                  rows.size(), counts.tokens, percent(counts.unknown, counts.tokens),
                  counts.truncated, result.mapping.length));
  if (counts.empty > 0)
    result.warnings.push_back(fmt::format(
        "{}: {} texts have no token: their rows are padding alone", name, counts.empty));
}

/// The vocabulary out of the rows to train on, then all rows; `test`: a second file's.
void encode(const LabelledTexts& all, const SplitRows& part, const LabelledTexts* test,
            const TextOptions& options, ImportedText& result) {
  const std::size_t distinct = learn_vocabulary(all, part.train, options, result.mapping);
  result.report.push_back(vocabulary_line(result.mapping, distinct));
  const TextEncoder encoder(result.mapping);
  DatasetArrays& to = result.arrays;
  add_part("train", all, part.train, encoder, to.x_train, to.y_train, to.id_train, result);
  add_part("validation", all, part.validation, encoder, to.x_val, to.y_val, to.id_val, result);
  add_part("test", all, part.test, encoder, to.x_test, to.y_test, to.id_test, result);
  if (test == nullptr) return;
  std::vector<std::size_t> every(test->texts.size());
  std::iota(every.begin(), every.end(), std::size_t{0});
  add_part("test", *test, every, encoder, to.x_test, to.y_test, to.id_test, result);
}

ImportedText import_labelled(const TextOptions& options, const TableSplit& split) {
  ImportedText result;
  result.mapping = begin_mapping(options);
  const LabelledTexts all = read_labelled_texts(options, result.mapping);
  std::vector<std::size_t> rows(all.texts.size());
  std::iota(rows.begin(), rows.end(), std::size_t{0});
  const SplitRows part = split_rows(
      std::move(rows), [&](const auto& some) { return taken(all.labels, some); }, split);
  if (options.test.empty()) {
    encode(all, part, nullptr, options, result);
  } else {
    const LabelledTexts test = read_test_texts(options.test, options, result.mapping);
    encode(all, part, &test, options, result);
  }
  return result;
}

// --- Running text ---

/// x: rows of consecutive tokens; y: the same, one token later.
void add_sequences(const char* name, const std::vector<std::int32_t>& numbers, Range part,
                   std::int64_t step, std::optional<Array>& x, std::optional<Array>& y,
                   ImportedText& result) {
  const std::int64_t length = result.mapping.length;
  check(part.count() > length, ExitCode::kBadData,
        "[import] expected at least {} {} for {}, so that a row of {} has a next one for each, got "
        "{}: a smaller --length, or more text",
        length + 1, to_text(result.mapping.rules.unit), name, length, part.count());
  std::vector<std::int32_t> inputs, targets;
  for (std::int64_t first = part.first; first + length < part.last; first += step) {
    const auto at = numbers.begin() + first;
    inputs.insert(inputs.end(), at, at + length);
    targets.insert(targets.end(), at + 1, at + 1 + length);
  }
  x = array_of_numbers(result.mapping, inputs);
  y = array_of_numbers(result.mapping, targets);
  y->row_shape = x->row_shape;
  const auto unknown = std::count(numbers.begin() + part.first, numbers.begin() + part.last,
                                  std::int32_t{TextMapping::kUnknown});
  result.report.push_back(fmt::format("{}: {} tokens, {} of them unknown; {} rows of {}", name,
                                      part.count(), percent(unknown, part.count()), x->rows,
                                      length));
}

Range last_part(Range& all, double fraction) {
  if (fraction == 0) return {all.last, all.last};
  const std::int64_t cut = all.first + training_rows(all.count(), fraction);
  const Range last{cut, all.last};
  all.last = cut;
  return last;
}

ImportedText import_running_text(const TextOptions& options, const TableSplit& split) {
  ImportedText result;
  TextMapping& mapping = result.mapping;
  mapping = begin_mapping(options);
  mapping.next = true;
  std::string text;
  for (const auto& file : options.files) text += read_text(file);
  std::int64_t tokens = 0;
  mapping.rules.for_each(text, [&](std::string_view) { ++tokens; });
  check(tokens > 0, ExitCode::kBadData, "[import] {}: expected a text, got none",
        printable(options.files.front().string()));
  Range train{0, tokens};
  const Range test = last_part(train, split.test_last);
  const Range validation = last_part(train, split.validation);

  VocabularyCounts counts;
  std::int64_t place = 0;
  mapping.rules.for_each(text, [&](std::string_view token) {
    if (place++ < train.last) counts.add(token);
  });
  mapping.vocabulary = counts.vocabulary(most_tokens(options));
  result.report.push_back(vocabulary_line(mapping, counts.distinct()));

  const TextEncoder encoder(mapping);
  const std::vector<std::int32_t> numbers = encoder.numbers(text);
  const std::int64_t step = options.step == 0 ? mapping.length : options.step;
  DatasetArrays& to = result.arrays;
  add_sequences("train", numbers, train, step, to.x_train, to.y_train, result);
  if (validation.count() > 0)
    add_sequences("validation", numbers, validation, step, to.x_val, to.y_val, result);
  if (test.count() > 0) add_sequences("test", numbers, test, step, to.x_test, to.y_test, result);
  if (!options.test.empty()) {
    const std::vector<std::int32_t> other = encoder.numbers(read_text(options.test));
    add_sequences("test", other, {0, static_cast<std::int64_t>(other.size())}, step, to.x_test,
                  to.y_test, result);
  }
  return result;
}

}  // namespace

ImportedText import_text(const TextOptions& options, const TableSplit& split) {
  ImportedText result = options.form == TextOptions::Form::kNext
                            ? import_running_text(options, split)
                            : import_labelled(options, split);
  result.arrays.table_mapping = to_json_text(result.mapping);
  return result;
}

ImportedText import_sentences(std::int64_t rows, std::int64_t test_rows, std::uint64_t seed) {
  LabelledTexts all;
  std::vector<std::int64_t> labels;
  for (Sentence& sentence : synthetic_sentences(rows + test_rows, seed)) {
    all.texts.push_back(std::move(sentence.text));
    labels.push_back(sentence.praises ? 1 : 0);
  }
  const auto bytes = std::as_bytes(std::span(labels));
  all.labels = {ElementType::kInt64, rows + test_rows, {}, {bytes.begin(), bytes.end()}};
  SplitRows part;
  for (std::size_t row = 0; row < all.texts.size(); ++row)
    (std::cmp_less(row, rows) ? part.train : part.test).push_back(row);
  TextOptions options;
  options.files = {"synthetic sentences"};
  ImportedText result;
  result.mapping = begin_mapping(options);
  result.mapping.column = "text";
  result.mapping.table.columns = 2;
  result.mapping.table.labels = {{"label", {"neg", "pos"}, false, false, false}};
  encode(all, part, nullptr, options, result);
  result.arrays.table_mapping = to_json_text(result.mapping);
  return result;
}

}  // namespace lockstep
