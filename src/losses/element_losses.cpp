#include "src/losses/element_losses.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

#include "src/core/elementary.hpp"
#include "src/losses/check_targets.hpp"

namespace lockstep {
namespace {

using elementary::exp;
using elementary::log;
using elementary::log1p;
using Json = nlohmann::ordered_json;

constexpr double kEpsilon = 1e-7;

/// A Formula has Keras's name, a value and its derivative by p, both of p and t, and says how it is
/// written.
template <class Formula>
class ElementLoss final : public Loss {
 public:
  explicit ElementLoss(Formula formula) : formula_(formula) {}

  std::string name() const override { return Formula::kName; }
  Json to_json() const override { return formula_.to_json(); }
  TargetKind target_kind() const override { return TargetKind::kValues; }

  /// In double throughout.
  double compute(Matrix outputs, const Targets& targets, Matrix gradient, float scale,
                 bool) const override {
    check_targets(Formula::kName, outputs, targets, target_kind());
    const auto count = static_cast<double>(outputs.columns);
    const double share = static_cast<double>(scale) / count;
    double total = 0;
    for (std::int64_t i = 0; i < outputs.rows; ++i) {
      const float* p = outputs.row(i);
      const float* t = targets.values.row(i);
      double sum = 0;
      for (std::int64_t j = 0; j < outputs.columns; ++j)
        sum += formula_.value(static_cast<double>(p[j]), static_cast<double>(t[j]));
      total += sum / count;
      if (gradient.empty()) continue;
      float* g = gradient.row(i);
      for (std::int64_t j = 0; j < outputs.columns; ++j)
        g[j] = static_cast<float>(
            share * formula_.derivative(static_cast<double>(p[j]), static_cast<double>(t[j])));
    }
    return total;
  }

 private:
  Formula formula_;
};

template <class Formula>
std::unique_ptr<Loss> make(Formula formula = {}) {
  return std::make_unique<ElementLoss<Formula>>(formula);
}

/// -1, 0 or 1; a NaN stays one.
double sign(double x) {
  return x > 0 ? 1.0 : x < 0 ? -1.0 : x;
}

/// Without settings.
template <class Formula>
struct Plain {
  Json to_json() const { return Formula::kName; }
};

struct MeanSquaredError : Plain<MeanSquaredError> {
  static constexpr const char* kName = "mean_squared_error";
  double value(double p, double t) const { return (p - t) * (p - t); }
  double derivative(double p, double t) const { return 2 * (p - t); }
};

struct MeanAbsoluteError : Plain<MeanAbsoluteError> {
  static constexpr const char* kName = "mean_absolute_error";
  double value(double p, double t) const { return std::abs(p - t); }
  double derivative(double p, double t) const { return sign(p - t); }
};

struct MeanAbsolutePercentageError : Plain<MeanAbsolutePercentageError> {
  static constexpr const char* kName = "mean_absolute_percentage_error";
  static double percent(double t) { return 100 / std::max(std::abs(t), kEpsilon); }
  double value(double p, double t) const { return std::abs(p - t) * percent(t); }
  double derivative(double p, double t) const { return sign(p - t) * percent(t); }
};

struct MeanSquaredLogarithmicError : Plain<MeanSquaredLogarithmicError> {
  static constexpr const char* kName = "mean_squared_logarithmic_error";
  /// A NaN stays one.
  static double logarithm(double x) { return log1p(x < kEpsilon ? kEpsilon : x); }
  double value(double p, double t) const {
    const double d = logarithm(p) - logarithm(t);
    return d * d;
  }
  double derivative(double p, double t) const {
    return p < kEpsilon ? 0.0 : 2 * (logarithm(p) - logarithm(t)) / (1 + p);
  }
};

struct Huber {
  static constexpr const char* kName = "huber";
  double delta = 1;
  double value(double p, double t) const {
    const double size = std::abs(p - t);
    return size <= delta ? size * size / 2 : delta * (size - delta / 2);
  }
  double derivative(double p, double t) const {
    const double d = p - t;
    return d > delta ? delta : d < -delta ? -delta : d;
  }
  Json to_json() const {
    if (delta == 1) return kName;
    return {{"class_name", "Huber"}, {"config", {{"delta", delta}}}};
  }
};

struct LogCosh : Plain<LogCosh> {
  static constexpr const char* kName = "log_cosh";
  double value(double p, double t) const {
    const double size = std::abs(p - t);
    return size + (log1p(exp(-2 * size)) - std::numbers::ln2);
  }
  /// tanh(d)
  double derivative(double p, double t) const {
    const double size = std::abs(p - t);
    const double e = exp(-2 * size);
    return sign(p - t) * (1 - e) / (1 + e);
  }
};

/// Of targets 0 and 1, or -1 and 1.
double side(double t) {
  return t == 0 ? -1.0 : t;
}

struct Hinge : Plain<Hinge> {
  static constexpr const char* kName = "hinge";
  /// A NaN stays one.
  static double short_by(double p, double t) {
    const double missing = 1 - side(t) * p;
    return missing < 0 ? 0.0 : missing;
  }
  double value(double p, double t) const { return short_by(p, t); }
  double derivative(double p, double t) const { return 1 - side(t) * p >= 0 ? -side(t) : 0.0; }
};

struct SquaredHinge : Plain<SquaredHinge> {
  static constexpr const char* kName = "squared_hinge";
  double value(double p, double t) const { return Hinge::short_by(p, t) * Hinge::short_by(p, t); }
  double derivative(double p, double t) const { return -2 * side(t) * Hinge::short_by(p, t); }
};

struct Poisson : Plain<Poisson> {
  static constexpr const char* kName = "poisson";
  double value(double p, double t) const { return p - t * log(p + kEpsilon); }
  double derivative(double p, double t) const { return 1 - t / (p + kEpsilon); }
};

}  // namespace

std::unique_ptr<Loss> mean_squared_error() {
  return make<MeanSquaredError>();
}

std::unique_ptr<Loss> mean_absolute_error() {
  return make<MeanAbsoluteError>();
}

std::unique_ptr<Loss> mean_absolute_percentage_error() {
  return make<MeanAbsolutePercentageError>();
}

std::unique_ptr<Loss> mean_squared_logarithmic_error() {
  return make<MeanSquaredLogarithmicError>();
}

std::unique_ptr<Loss> huber(double delta) {
  return make<Huber>({delta});
}

std::unique_ptr<Loss> log_cosh() {
  return make<LogCosh>();
}

std::unique_ptr<Loss> hinge() {
  return make<Hinge>();
}

std::unique_ptr<Loss> squared_hinge() {
  return make<SquaredHinge>();
}

std::unique_ptr<Loss> poisson() {
  return make<Poisson>();
}

}  // namespace lockstep
