#include "src/losses/focal_crossentropy.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "src/core/elementary.hpp"
#include "src/losses/check_targets.hpp"
#include "src/losses/probabilities.hpp"

namespace lockstep {
namespace {

using elementary::exp;
using elementary::log;
using elementary::log1p;

/// x^gamma and its derivative, x in [0, 1].
struct Power {
  double value, derivative;

  Power(double x, double gamma) {
    if (gamma == 2) {
      value = x * x;
      derivative = 2 * x;
    } else if (gamma == 0) {
      value = 1;
      derivative = 0;
    } else {
      value = x > 0 ? exp(gamma * log(x)) : 0;
      derivative = x > 0 ? gamma * value / x : gamma == 1 ? 1.0 : 0;
    }
  }
};

/// A cross-entropy of one number and its derivative by it.
struct Entropy {
  double value, derivative;
};

/// By the logit z, without clipping.
Entropy of_logit(double z, double p, double t) {
  return {std::max(z, 0.0) - z * t + log1p(exp(-std::abs(z))), p - t};
}

/// By the probability p.
Entropy of_probability(float p, double t) {
  const auto q = static_cast<double>(clip(p));
  return {-(t * log(q) + (1 - t) * log(1 - q)), inside(p) ? (1 - t) / (1 - q) - t / q : 0.0};
}

double sigmoid(double z) {
  const double e = exp(-std::abs(z));
  return (z < 0 ? e : 1) / (1 + e);
}

nlohmann::ordered_json written(const char* class_name, const FocalSettings& settings, bool binary) {
  nlohmann::ordered_json config;
  if (binary) config["apply_class_balancing"] = settings.apply_class_balancing;
  config["alpha"] = settings.alpha;
  config["gamma"] = settings.gamma;
  config["from_logits"] = settings.from_logits;
  config["label_smoothing"] = settings.label_smoothing;
  return {{"class_name", class_name}, {"config", std::move(config)}};
}

/// The gradient by p of a function of u = p / sum p, whose derivatives by u are `d`.
void through_normalisation(const double* u, double* d, std::size_t count, double sum) {
  double dot = 0;
  for (std::size_t j = 0; j < count; ++j) dot += d[j] * u[j];
  for (std::size_t j = 0; j < count; ++j) d[j] = (d[j] - dot) / sum;
}

/// The gradient by the logits, `d` being that by their softmax p.
void through_softmax(const double* p, double* d, std::size_t count) {
  double dot = 0;
  for (std::size_t j = 0; j < count; ++j) dot += d[j] * p[j];
  for (std::size_t j = 0; j < count; ++j) d[j] = p[j] * (d[j] - dot);
}

void softmax(const float* z, double* p, std::size_t count) {
  const double largest = static_cast<double>(*std::max_element(z, z + count));
  double sum = 0;
  for (std::size_t j = 0; j < count; ++j) sum += p[j] = exp(static_cast<double>(z[j]) - largest);
  for (std::size_t j = 0; j < count; ++j) p[j] /= sum;
}

}  // namespace

double BinaryFocalCrossentropy::compute(Matrix outputs, const Targets& targets, Matrix gradient,
                                        float scale, bool fused) const {
  check_targets("binary_focal_crossentropy", outputs, targets, target_kind());
  const bool logits = fused || settings_.from_logits;
  const Smoothing smooth(settings_.label_smoothing, 2);
  const auto count = static_cast<double>(outputs.columns);
  const double share = static_cast<double>(scale) / count;
  double total = 0;
  for (std::int64_t i = 0; i < outputs.rows; ++i) {
    double sum = 0;
    for (std::int64_t j = 0; j < outputs.columns; ++j) {
      float& output = outputs.row(i)[j];
      const auto t = static_cast<double>(smooth(targets.values.row(i)[j]));
      const auto number = static_cast<double>(output);
      const double p = logits ? sigmoid(number) : number;
      const Entropy entropy = logits ? of_logit(number, p, t) : of_probability(output, t);
      if (fused) output = elementary::sigmoid(output);
      const Power focus(1 - (t * p + (1 - t) * (1 - p)), settings_.gamma);
      const double weight = settings_.apply_class_balancing
                                ? t * settings_.alpha + (1 - t) * (1 - settings_.alpha)
                                : 1;
      sum += weight * focus.value * entropy.value;
      if (gradient.empty()) continue;
      const double by_output = logits ? p * (1 - p) : 1;  // of p
      const double derivative = focus.derivative * (1 - 2 * t) * by_output * entropy.value +
                                focus.value * entropy.derivative;
      gradient.row(i)[j] = static_cast<float>(share * weight * derivative);
    }
    total += sum / count;
  }
  return total;
}

double CategoricalFocalCrossentropy::compute(Matrix outputs, const Targets& targets,
                                             Matrix gradient, float scale, bool) const {
  check_targets("categorical_focal_crossentropy", outputs, targets, target_kind());
  const auto columns = static_cast<std::size_t>(outputs.columns);
  const Smoothing smooth(settings_.label_smoothing,
                         static_cast<double>(std::max<std::int64_t>(outputs.columns, 1)));
  std::vector<double> p(columns), u(columns), d(columns);
  double total = 0;
  for (std::int64_t i = 0; i < outputs.rows; ++i) {
    const float* row = outputs.row(i);
    if (settings_.from_logits) {
      softmax(row, p.data(), columns);
    } else {
      std::copy_n(row, columns, p.data());
    }
    double sum = 0;
    for (const double number : p) sum += number;
    double loss = 0;
    for (std::size_t j = 0; j < columns; ++j) {
      u[j] = p[j] / sum;
      const auto as_float = static_cast<float>(u[j]);
      const auto q = static_cast<double>(clip(as_float));
      const auto t = static_cast<double>(smooth(targets.values.row(i)[j]));
      const Power focus(1 - q, settings_.gamma);
      loss -= settings_.alpha * focus.value * t * log(q);
      d[j] = inside(as_float) ? settings_.alpha * t * (focus.derivative * log(q) - focus.value / q)
                              : 0.0;
    }
    total += loss;
    if (gradient.empty()) continue;
    through_normalisation(u.data(), d.data(), columns, sum);
    if (settings_.from_logits) through_softmax(p.data(), d.data(), columns);
    for (std::size_t j = 0; j < columns; ++j)
      gradient.row(i)[j] = static_cast<float>(static_cast<double>(scale) * d[j]);
  }
  return total;
}

nlohmann::ordered_json BinaryFocalCrossentropy::to_json() const {
  return written("BinaryFocalCrossentropy", settings_, true);
}

nlohmann::ordered_json CategoricalFocalCrossentropy::to_json() const {
  return written("CategoricalFocalCrossentropy", settings_, false);
}

}  // namespace lockstep
