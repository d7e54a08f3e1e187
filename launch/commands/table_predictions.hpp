#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/table/table_mapping.hpp"
#include "src/activations/activation.hpp"
#include "src/core/matrix.hpp"
#include "src/model/network.hpp"

namespace lockstep {

/// Of the last layer that computes something when it predicts.
Activation last_activation(const Network& model);

/// What a network's outputs mean for the labels of the table that it was trained on.
struct OutputMeaning {
  enum class Kind {
    kNumbers,    ///< each output is a number
    kClasses,    ///< the largest output tells the class
    kTwoClasses  ///< one output: above `threshold` it is class 1
  };
  Kind kind = Kind::kNumbers;
  std::vector<std::string> names;  ///< of the outputs, or of the classes
  std::string label;               ///< of the class
  bool probabilities = false;      ///< the outputs are: softmax, sigmoid
  float threshold = 0.5F;
};
/// Throws Error (65) if the network has fewer outputs than the table has classes or labels.
OutputMeaning output_meaning(const Network& model, const TableMapping& mapping);

/// Predictions as a table: what names the row, the class's name and the probability of each class,
/// or the predicted numbers.
class TablePredictions {
 public:
  /// `ids`: a name for each row, in a column `id_name`; empty: rows are numbered from 0. `ids` must
  /// outlive this object.
  TablePredictions(OutputMeaning meaning, const std::string& id_name,
                   const std::vector<std::string>& ids, char separator = ',');

  void add(std::int64_t first_row, ConstMatrix rows);
  const std::string& text() const { return text_; }

 private:
  std::string field(const std::string& text) const;
  void add_row(std::int64_t row, const float* outputs, std::int64_t count);
  std::string class_of(const float* outputs, std::int64_t count) const;

  OutputMeaning meaning_;
  const std::vector<std::string>& ids_;
  char separator_;
  std::string text_;
};

}  // namespace lockstep
