#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "io/import/import.hpp"
#include "io/table/make_mapping.hpp"
#include "io/table/split_rows.hpp"
#include "io/text/text_mapping.hpp"

namespace lockstep {

/// What the user says of texts and of the numbers to be made of them.
struct TextOptions {
  enum class Form {
    kTable,  ///< one file: a table with a text and a label in each row
    kLines,  ///< each line of a file is a text, each file a class, called as the file's stem
    kNext    ///< running text: the targets are the next tokens
  };
  Form form = Form::kTable;
  std::vector<std::filesystem::path> files;
  std::filesystem::path test;  ///< of the same form; empty: none. Not of kLines
  std::string text;            ///< the column; empty: the only one beside label and id
  TableOptions table;          ///< format, label, id, classes, missing
  TokenRules rules;
  std::int64_t vocabulary_size = 0;  ///< numbers at most, with those of padding and unknown; 0: any
  std::int64_t length = 0;           ///< tokens of a row; 0: of the longest text to train on
  std::int64_t step = 0;             ///< kNext: tokens from row to row; 0: length
  Side padding = Side::kPre;
  Side truncating = Side::kPre;
};

struct ImportedText {
  DatasetArrays arrays;
  TextMapping mapping;
  std::vector<std::string> report;    ///< lines that say what was taken for what
  std::vector<std::string> warnings;  ///< of what is likely wrong
};

/// Texts with labels, or running text, as integer sequences. The vocabulary is that of the texts to
/// train on. Running text is split by position: the last part is for tests, the last of the rest
/// for validation. Throws Error: 64, 65, 66, 74, 77.
ImportedText import_text(const TextOptions& options, const TableSplit& split);

/// synthetic_sentences() of classes neg and pos, as import_text() would make rows of a table of
/// them with the columns text and label: words, padding in front.
ImportedText import_sentences(std::int64_t rows, std::int64_t test_rows, std::uint64_t seed);

}  // namespace lockstep
