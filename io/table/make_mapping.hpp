#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "io/table/table_mapping.hpp"

namespace lockstep {

/// What the user says of a training table's columns. Columns are named, or counted from 0
/// (negative: from the end); several stand with commas.
struct TableOptions {
  TableFormat format;
  std::string label;
  std::string id;                    ///< one column
  std::string drop;                  ///< columns
  std::string categorical;           ///< columns
  std::vector<std::string> ordinal;  ///< "COLUMN" or "COLUMN=low<middle<high"
  std::vector<std::string> dates;    ///< "COLUMN=d/m/y"
  std::vector<std::string> missing;  ///< "mean" for all columns, "COLUMN=mean" for one
  std::string classes;  ///< of the label: empty: of words; "sorted"; or "a,b,c" in this order

  WindowRule windows;       ///< length 0: each row is a sample
  bool past_labels = true;  ///< of windows: the labels' past is among the inputs

  /// All texts that name columns, to find the header by.
  std::vector<std::string> named_columns() const;
};

struct NewMapping {
  TableMapping mapping;               ///< complete but for what set_fills sets
  std::vector<std::size_t> rows;      ///< those that are not left out for a missing value
  std::vector<std::string> remarks;   ///< columns that were dropped and why, for people
  std::vector<std::string> warnings;  ///< of what is likely wrong
};

/// Decides how each column of a training table is to be read. Throws Error (65) that names the
/// column and what to type: words among numbers, too many different words, missing values, dates
/// that can be read in two ways, labels of two kinds.
NewMapping make_mapping(const TextTable& table, const TableOptions& options);

/// The same for a table of texts: all but features. Throws as make_mapping().
NewMapping make_label_mapping(const TextTable& table, const TableOptions& options);

/// Sets what missing cells are filled with, and the origins of times, out of these rows.
void set_fills(TableMapping& mapping, const TextTable& table, const std::vector<std::size_t>& rows);

}  // namespace lockstep
