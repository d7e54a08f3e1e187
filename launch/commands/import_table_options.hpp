#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "io/table/import_table.hpp"
#include "launch/cli/option_parser.hpp"

namespace lockstep {

/// `lockstep import csv`: what to read and how.
struct TableSource {
  std::filesystem::path train;
  std::filesystem::path test;  ///< empty: none
  TableOptions options;
  TableSplit split;
  Unknown unknown = Unknown::kRefuse;
};

/// The part of `lockstep import --help` for tables.
extern const char* const kTableHelp;

void add_table_options(po::options_description& options);
/// Throws Error (64) that names the option.
TableSource table_source(const po::variables_map& given);

/// --test-split, --test-split-last, --validation-split and --seed, which import text has, too.
void add_split_options(po::options_description& options);
/// Throws Error (64) for a wrong fraction, or several ways to a test set.
TableSplit split_from_options(const po::variables_map& given);

/// --header: "yes" or "no"; none for "auto" and "". Throws Error (64) for another word.
std::optional<bool> header_from_text(const std::string& word);
/// --unknown: "refuse" or "zero"; throws Error (64) for another word.
Unknown unknown_from_text(const std::string& text);
/// --separator: "comma", ... or the letter; --decimal: "point" or "comma"; none for "auto" and "".
/// Throw Error (64) for another word.
std::optional<char> separator_from_text(const std::string& word);
std::optional<char> decimal_from_text(const std::string& word);

}  // namespace lockstep
