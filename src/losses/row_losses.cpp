#include "src/losses/row_losses.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <span>

#include "src/core/elementary.hpp"
#include "src/losses/check_targets.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;
using Row = std::span<const float>;

constexpr double kEpsilon = 1e-7;

/// A Formula has Keras's name, and computes the loss of a position and, if there is room for it,
/// its gradient by p, times `scale`.
template <class Formula>
class RowLoss final : public Loss {
 public:
  std::string name() const override { return Formula::kName; }
  Json to_json() const override { return Formula::kName; }
  TargetKind target_kind() const override { return TargetKind::kValues; }

  double compute(Matrix outputs, const Targets& targets, Matrix gradient, float scale,
                 bool) const override {
    check_targets(Formula::kName, outputs, targets, target_kind());
    const auto columns = static_cast<std::size_t>(outputs.columns);
    double total = 0;
    for (std::int64_t i = 0; i < outputs.rows; ++i) {
      const std::span<float> g =
          gradient.empty() ? std::span<float>() : std::span(gradient.row(i), columns);
      total += Formula::compute(Row(outputs.row(i), columns), Row(targets.values.row(i), columns),
                                g, static_cast<double>(scale));
    }
    return total;
  }
};

struct KLDivergence {
  static constexpr const char* kName = "kl_divergence";
  static double clip(float x) { return std::clamp(static_cast<double>(x), kEpsilon, 1.0); }
  static bool inside(float x) {
    return static_cast<double>(x) >= kEpsilon && static_cast<double>(x) <= 1;
  }

  static double compute(Row p, Row t, std::span<float> gradient, double scale) {
    double sum = 0;
    for (std::size_t j = 0; j < p.size(); ++j)
      sum += clip(t[j]) * (elementary::log(clip(t[j])) - elementary::log(clip(p[j])));
    for (std::size_t j = 0; j < gradient.size(); ++j)
      gradient[j] =
          inside(p[j]) ? static_cast<float>(-scale * clip(t[j]) / static_cast<double>(p[j])) : 0;
    return sum;
  }
};

struct CategoricalHinge {
  static constexpr const char* kName = "categorical_hinge";
  static double other(float p, float t) {
    return (1 - static_cast<double>(t)) * static_cast<double>(p);
  }

  /// Where several others are the largest, each has its share of the gradient.
  static double compute(Row p, Row t, std::span<float> gradient, double scale) {
    double of_class = 0;
    double largest = other(p[0], t[0]);
    for (std::size_t j = 0; j < p.size(); ++j) {
      of_class += static_cast<double>(t[j]) * static_cast<double>(p[j]);
      largest = std::max(largest, other(p[j], t[j]));
    }
    const double loss = largest - of_class + 1;
    if (!gradient.empty()) {
      double ties = 0;
      for (std::size_t j = 0; j < p.size(); ++j) ties += other(p[j], t[j]) == largest;
      for (std::size_t j = 0; j < p.size(); ++j) {
        const auto target = static_cast<double>(t[j]);
        const double by_other = other(p[j], t[j]) == largest ? (1 - target) / ties : 0;
        gradient[j] = loss >= 0 ? static_cast<float>(scale * (by_other - target)) : 0;
      }
    }
    return loss < 0 ? 0 : loss;  // a NaN stays one
  }
};

struct CosineSimilarity {
  static constexpr const char* kName = "cosine_similarity";
  static double length(Row x) {
    double sum = 0;
    for (const float number : x) sum += static_cast<double>(number) * static_cast<double>(number);
    return std::sqrt(sum);
  }

  static double compute(Row p, Row t, std::span<float> gradient, double scale) {
    const double length_p = length(p);
    const double of_p = 1 / std::max(length_p, kEpsilon);
    const double of_t = 1 / std::max(length(t), kEpsilon);
    double dot = 0;
    for (std::size_t j = 0; j < p.size(); ++j)
      dot += static_cast<double>(p[j]) * static_cast<double>(t[j]);
    const double cosine = dot * of_p * of_t;
    // Below epsilon the length of p is a constant.
    const double along = length_p > kEpsilon ? cosine * of_p : 0;
    for (std::size_t j = 0; j < gradient.size(); ++j)
      gradient[j] = static_cast<float>(
          -scale * of_p * (static_cast<double>(t[j]) * of_t - static_cast<double>(p[j]) * along));
    return -cosine;
  }
};

}  // namespace

std::unique_ptr<Loss> kl_divergence() {
  return std::make_unique<RowLoss<KLDivergence>>();
}

std::unique_ptr<Loss> categorical_hinge() {
  return std::make_unique<RowLoss<CategoricalHinge>>();
}

std::unique_ptr<Loss> cosine_similarity() {
  return std::make_unique<RowLoss<CosineSimilarity>>();
}

}  // namespace lockstep
