#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "src/activations/activation.hpp"
#include "src/core/error.hpp"

namespace lockstep {

/// What is known of a network before any row is read.
struct NetworkFacts {
  std::string last_layer;  ///< the name of the one whose activation ends the network
  Activation activation = Activation::kLinear;
  std::string constant_layer;  ///< softmax over one unit, wherever it is: always 1
  std::int64_t columns = 1;    ///< of the output's last axis
  std::string loss;            ///< Keras's name
  bool from_logits = false;
  std::vector<std::string> metrics;
  bool trains = true;        ///< any weight at all
  bool scales_input = true;  ///< its first layer makes something else of the numbers it gets
  double input_scale = 1;    ///< of a Rescaling in front
  double input_offset = 0;
};

/// What is known of the training rows.
struct RowFacts {
  std::string x;  ///< "x_train", for messages
  std::string y;
  std::int64_t rows = 0;
  bool x_is_bytes = false;
  double x_lowest = 0;
  double x_highest = 0;
  double y_lowest = 0;
  double y_highest = 0;
  bool y_is_constant = false;          ///< every row is as the first
  std::int64_t sums_other_than_1 = 0;  ///< positions whose numbers do not add up to 1
  std::int64_t first_such_row = -1;
  double first_such_sum = 0;
};

/// The learning rates to come.
struct RateFacts {
  bool constant = false;        ///< no schedule: somebody wanted it so, be it 0
  std::int64_t first_step = 0;  ///< done before
  std::int64_t steps = 0;       ///< to be done
  std::function<double(std::int64_t step)> rate;
};

/// Something that a training is told before it begins: why it is refused, or what is likely wrong.
struct Advice {
  std::optional<ExitCode> refusal;
  std::string text;
};

/// What has no meaning at all (refused: Keras would train in silence) and what is likely a mistake,
/// with what to type instead. Pure functions, one rule after the other.
std::vector<Advice> advice_on(const NetworkFacts& network);
std::vector<Advice> advice_on(const NetworkFacts& network, const RowFacts& rows);
std::vector<Advice> advice_on(const RateFacts& rates);

/// Whether the loss is one of a regression.
bool is_regression(const std::string& loss);

/// The metrics of a training that names none: accuracy for classes, for a regression an error
/// that the loss does not tell; of a hinge loss none.
std::vector<std::string> default_metrics(const std::string& loss);

}  // namespace lockstep
