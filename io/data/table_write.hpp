#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/core/matrix.hpp"
#include "src/core/shape.hpp"

namespace lockstep {

/// What a written table says beside a network's outputs. All parts may be empty.
struct TableLabels {
  std::vector<std::string> columns = {};     ///< one for each output; empty: see column_names()
  std::string id_name = "id";                ///< heads the ids
  std::vector<std::string> ids = {};         ///< the first column, one for each row
  std::string predicted_name = "predicted";  ///< heads the names of the predicted classes
  std::vector<std::string> classes = {};     ///< their names, in the order of the outputs
};

/// The names of the outputs: those of `labels`; its classes if there are as many; else "output" for
/// one output a row, output_0, output_1 for several, output_0_1 for those of more axes.
/// Throws Error (65) if labels.columns has another number of them.
std::vector<std::string> column_names(const Shape& row_shape, const TableLabels& labels);

/// The text as a field of a table: in quotes, as in RFC 4180, if it must be.
std::string table_field(std::string_view text, char separator);

/// The name of the class that a row of outputs means: that of the largest one (the first of
/// equals); of one output and two classes, the second if it is over 0.5, as Keras's accuracy has
/// it. Empty if an output is NaN. Throws Error (65) if outputs and classes do not fit.
std::string predicted_class(std::span<const float> outputs, std::span<const std::string> classes);

/// The text of a table: a header, then a line for each row: id, predicted class, outputs.
/// A number has the fewest digits from which the same float32 is read. Fields are quoted as in
/// RFC 4180 where they must be; lines end in \n.
class TableText {
 public:
  /// Throws Error (65) if the names do not fit the outputs.
  TableText(char separator, const Shape& row_shape, TableLabels labels);
  /// The next rows: (rows, outputs). Of ids there must be enough.
  void add(ConstMatrix rows);
  const std::string& text() const { return text_; }

 private:
  void begin_field();
  void add_field(std::string_view field);
  void end_line();

  char separator_;
  TableLabels labels_;
  bool line_has_fields_ = false;
  std::size_t next_row_ = 0;
  std::string text_;
};

}  // namespace lockstep
