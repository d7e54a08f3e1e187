#pragma once

#include <cstdint>
#include <string>

#include "distributed/training/evaluator.hpp"
#include "src/model/network.hpp"

namespace lockstep {

/// "12 of 50890 weights are NaN or Inf, the first one in dense_1/kernel"; empty if all are finite.
std::string describe_not_finite(const Network& model);

/// "loss is nan", the first such number; empty if all are finite.
std::string describe_not_finite(const Evaluation& evaluation);

/// Counts predictions with NaN or Inf in them.
class FinitePredictions {
 public:
  /// Of rows [first_row, first_row + rows.rows).
  void add(std::int64_t first_row, ConstMatrix rows);
  /// "3 of 60 rows of predictions hold NaN or Inf, the first one is row 7"; empty if there is none.
  std::string describe() const;

 private:
  std::int64_t rows_ = 0;
  std::int64_t bad_rows_ = 0;
  std::int64_t first_ = -1;
};

}  // namespace lockstep
