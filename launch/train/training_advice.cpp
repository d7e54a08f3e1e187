#include "launch/train/training_advice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace lockstep {
namespace {

constexpr const char* kSparse = "sparse_categorical_crossentropy";
constexpr const char* kCategorical = "categorical_crossentropy";
constexpr double kInfinite = std::numeric_limits<double>::infinity();

template <class... Args>
Advice refuse(fmt::format_string<Args...> format, Args&&... args) {
  return {ExitCode::kUsage, fmt::format(format, std::forward<Args>(args)...)};
}

template <class... Args>
Advice warn(fmt::format_string<Args...> format, Args&&... args) {
  return {std::nullopt, fmt::format(format, std::forward<Args>(args)...)};
}

bool is_crossentropy(const std::string& loss) {
  return loss.ends_with("crossentropy");
}

/// Each output is a class of its own.
bool is_binary(const std::string& loss) {
  return is_crossentropy(loss) && loss.starts_with("binary");
}

struct Reach {
  double low = -kInfinite;
  double high = kInfinite;
};

/// The numbers that an activation can give.
Reach reach_of(Activation activation) {
  switch (activation) {
    case Activation::kSigmoid:
    case Activation::kSoftmax:
      return {0, 1};
    case Activation::kTanh:
      return {-1, 1};
    case Activation::kRelu:
    case Activation::kSoftplus:
    case Activation::kExponential:
      return {0, kInfinite};
    case Activation::kElu:
      return {-1, kInfinite};
    default:
      return {};
  }
}

/// "Dense(10, softmax)": what the last layer should be for a loss.
std::string fitting_layer(const NetworkFacts& network) {
  if (is_binary(network.loss)) return fmt::format("Dense({}, sigmoid)", network.columns);
  return fmt::format("Dense({}, softmax)", network.columns);
}

void check_softmax_of_one(const NetworkFacts& network, std::vector<Advice>& advice) {
  if (network.constant_layer.empty()) return;
  advice.push_back(refuse(
      "[{}] softmax over one unit is always 1, so nothing can be learned: for two classes "
      "type Dense(1, sigmoid) and --loss binary_crossentropy, for K classes Dense(K, softmax)",
      network.constant_layer));
}

void check_one_class(const NetworkFacts& network, std::vector<Advice>& advice) {
  if (network.columns != 1 || (network.loss != kSparse && network.loss != kCategorical)) return;
  advice.push_back(
      refuse("[{}] {} over one unit knows one class only, so nothing can be learned: for two "
             "classes type Dense(1, sigmoid) and --loss binary_crossentropy, for K classes "
             "Dense(K, softmax), for a number Dense(1) and --loss mean_squared_error",
             network.last_layer, network.loss));
}

void check_probabilities(const NetworkFacts& network, std::vector<Advice>& advice) {
  if (!is_crossentropy(network.loss) || network.from_logits) return;
  const Reach reach = reach_of(network.activation);
  const std::string activation = activation_name(network.activation);
  if (reach.low < 0) {
    advice.push_back(refuse(
        "[{}] expected probabilities for {}, got numbers from {} to {} (activation {}): type {}{}",
        network.last_layer, network.loss, reach.low, reach.high, activation, fitting_layer(network),
        network.activation == Activation::kLinear
            ? fmt::format(", or --loss \"{}(from_logits=True)\"", network.loss)
            : ""));
  } else if (reach.high > 1) {
    advice.push_back(
        warn("[{}] {} takes outputs for probabilities, but {} goes beyond 1 and learns nothing "
             "where it is 0: {} is what fits",
             network.last_layer, network.loss, activation, fitting_layer(network)));
  } else if (network.activation == Activation::kSigmoid && !is_binary(network.loss)) {
    advice.push_back(
        warn("[{}] {} means classes that exclude each other, but sigmoid treats each by itself: {} "
             "is what fits, or --loss binary_crossentropy with a row of {} zeros and ones for each "
             "sample",
             network.last_layer, network.loss, fitting_layer(network), network.columns));
  }
}

/// Losses that take the logarithm of outputs which no activation keeps above 0.
void check_positive(const NetworkFacts& network, std::vector<Advice>& advice) {
  const Reach reach = reach_of(network.activation);
  const std::string activation = activation_name(network.activation);
  if (network.loss == "poisson" && reach.low < 0)
    advice.push_back(
        warn("[{}] poisson takes outputs for rates above 0, but {} gives numbers from {}, whose "
             "logarithm may be NaN: Dense({}, exponential) or Dense({}, softplus) is what fits",
             network.last_layer, activation, reach.low, network.columns, network.columns));
  if (network.loss == "kl_divergence" && (reach.low < 0 || reach.high > 1))
    advice.push_back(
        warn("[{}] kl_divergence takes outputs for probabilities, but {} gives numbers from {} to "
             "{}: Dense({}, softmax) is what fits",
             network.last_layer, activation, reach.low, reach.high, network.columns));
}

void check_metrics(const NetworkFacts& network, std::vector<Advice>& advice) {
  if (!is_regression(network.loss)) return;
  for (const std::string& metric : network.metrics) {
    if (metric.find("acc") == std::string::npos) continue;
    advice.push_back(
        warn("{} counts equal classes and means little beside {}: type --metrics {}, or --metrics "
             "\"\" for none",
             metric, network.loss, default_metrics(network.loss).front()));
    return;
  }
}

void check_trained(const NetworkFacts& network, std::vector<Advice>& advice) {
  if (network.trains) return;
  advice.push_back(
      warn("no layer has weights that are trained: every epoch leaves the network as it is"));
}

void check_constant_targets(const NetworkFacts& network, const RowFacts& rows,
                            std::vector<Advice>& advice) {
  if (!rows.y_is_constant || rows.rows < 2) return;
  advice.push_back(
      is_regression(network.loss)
          ? warn("{}: all {} targets are the same: there is nothing to learn from them", rows.y,
                 rows.rows)
          : warn("{}: all {} rows are of one class: there is nothing to tell apart", rows.y,
                 rows.rows));
}

void check_distributions(const NetworkFacts& network, const RowFacts& rows,
                         std::vector<Advice>& advice) {
  if (network.loss != kCategorical || rows.sums_other_than_1 == 0) return;
  advice.push_back(warn(
      "{}: {} takes a row for the probabilities of {} classes, but {} of {} rows do not add up "
      "to 1 (row {}: {}): if a sample may have several classes, Dense({}, sigmoid) and --loss "
      "binary_crossentropy are what fits",
      rows.y, network.loss, network.columns, rows.sums_other_than_1, rows.rows, rows.first_such_row,
      rows.first_such_sum, network.columns));
}

/// Of a regression.
void check_reach(const NetworkFacts& network, const RowFacts& rows, std::vector<Advice>& advice) {
  if (!is_regression(network.loss)) return;
  const Reach reach = reach_of(network.activation);
  if (rows.y_lowest < reach.low || rows.y_highest > reach.high) {
    advice.push_back(
        warn("[{}] {} reaches numbers from {} to {}, but {} goes from {} to {}: Dense({}) reaches "
             "them all",
             network.last_layer, activation_name(network.activation), reach.low, reach.high, rows.y,
             rows.y_lowest, rows.y_highest, network.columns));
  } else if (network.activation == Activation::kSoftmax && rows.sums_other_than_1 == 0) {
    advice.push_back(
        warn("[{}] softmax and rows of {} that add up to 1 mean classes, for which {} learns "
             "slowly: --loss categorical_crossentropy is what fits",
             network.last_layer, rows.y, network.loss));
  }
}

/// The network as a whole takes numbers around 1.
void check_scale(const NetworkFacts& network, const RowFacts& rows, std::vector<Advice>& advice) {
  constexpr double kDarkest = 128;  // fewer than the 255 of a picture: its brightest may be missing
  constexpr double kLarge = 1000;
  if (network.scales_input) return;
  const double low = rows.x_lowest * network.input_scale + network.input_offset;
  const double high = rows.x_highest * network.input_scale + network.input_offset;
  const double largest = std::max(std::abs(low), std::abs(high));
  if (rows.x_is_bytes && rows.x_highest >= kDarkest && largest >= kDarkest) {
    advice.push_back(
        warn("{} holds bytes up to {}, as pictures do, and networks learn badly from such numbers: "
             "Rescaling(1/255) as the first layer brings them to 0 to 1",
             rows.x, rows.x_highest));
  } else if (largest >= kLarge) {
    advice.push_back(warn(
        "{} holds numbers from {:.6g} to {:.6g}, and networks learn badly from such large "
        "ones: bring each feature to about -1 to 1, or all of them with Rescaling(1/{:.0f}) as "
        "the first layer",
        rows.x, low, high, largest));
  }
}

}  // namespace

bool is_regression(const std::string& loss) {
  return !is_crossentropy(loss) && !loss.ends_with("hinge") && loss != "kl_divergence";
}

std::vector<std::string> default_metrics(const std::string& loss) {
  if (is_crossentropy(loss)) return {"accuracy"};
  if (loss == "categorical_hinge" || loss == "kl_divergence") return {"categorical_accuracy"};
  if (!is_regression(loss)) return {};  // targets may be -1 and 1, which no accuracy knows
  return {loss == "mean_absolute_error" ? "mean_squared_error" : "mean_absolute_error"};
}

std::vector<Advice> advice_on(const NetworkFacts& network) {
  std::vector<Advice> advice;
  check_softmax_of_one(network, advice);
  if (advice.empty()) check_one_class(network, advice);
  if (advice.empty()) check_probabilities(network, advice);
  check_positive(network, advice);
  check_metrics(network, advice);
  check_trained(network, advice);
  return advice;
}

std::vector<Advice> advice_on(const NetworkFacts& network, const RowFacts& rows) {
  std::vector<Advice> advice;
  check_constant_targets(network, rows, advice);
  check_distributions(network, rows, advice);
  check_reach(network, rows, advice);
  check_scale(network, rows, advice);
  return advice;
}

std::vector<Advice> advice_on(const RateFacts& rates) {
  if (rates.steps == 0 || rates.constant) return {};
  // From the last step on: the rate may be 0 at the first one, where it is about to rise.
  std::int64_t zeros = 0;
  while (zeros < rates.steps && rates.rate(rates.first_step + rates.steps - 1 - zeros) == 0)
    ++zeros;
  if (zeros == rates.steps)
    return {
        refuse("[learning rate] expected a rate above 0, got 0 in all {} steps to come, from "
               "step {} on: type --learning-rate 0.001 for a constant one{}",
               rates.steps, rates.first_step + 1,
               rates.first_step > 0
                   ? ", or --learning-rate-schedule with more --decay-steps (the schedule of "
                     "what training goes on from has ended)"
                   : "")};
  if (zeros * 10 > rates.steps)
    return {
        warn("the learning rate is 0 in the last {} of {} steps, which change nothing: more "
             "--decay-steps, an --alpha above 0, or fewer --epochs",
             zeros, rates.steps)};
  return {};
}

}  // namespace lockstep
