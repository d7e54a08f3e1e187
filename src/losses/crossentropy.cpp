#include "src/losses/crossentropy.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "src/core/elementary.hpp"
#include "src/losses/check_targets.hpp"

namespace lockstep {
namespace {

using elementary::exp;
using elementary::log;
using elementary::log1p;

// Keras's epsilon(), as TensorFlow clips probabilities in float32.
constexpr float kLowest = 1e-7f;
constexpr float kHighest = static_cast<float>(1.0 - 1e-7);

float clip(float p) {
  return std::clamp(p, kLowest, kHighest);
}
/// Where the derivative of clip() is 1; elsewhere it is 0.
bool inside(float p) {
  return p >= kLowest && p <= kHighest;
}

/// p = softmax(z) with the arithmetic of activate(kSoftmax); p may be z, or null if it is not
/// wanted. Returns log(sum exp z). n >= 1.
double softmax(const float* z, float* p, std::int64_t n) {
  const float top = *std::max_element(z, z + n);
  float sum = 0;
  if (p == nullptr) {
    for (std::int64_t j = 0; j < n; ++j) sum += exp(z[j] - top);
  } else {
    for (std::int64_t j = 0; j < n; ++j) sum += p[j] = exp(z[j] - top);
    for (std::int64_t j = 0; j < n; ++j) p[j] /= sum;
  }
  return static_cast<double>(top) + log(static_cast<double>(sum));
}

/// Where the probabilities of a row of logits go: the outputs themselves if fused, else the
/// gradient's row, which is made from them, or nowhere.
float* probabilities_row(Matrix outputs, Matrix gradient, std::int64_t i, bool fused) {
  if (fused) return outputs.row(i);
  return gradient.empty() ? nullptr : gradient.row(i);
}

/// The class of position i, checked, since it becomes an address.
std::int64_t checked_class(std::span<const std::int32_t> classes, std::int64_t i,
                           std::int64_t count) {
  const std::int64_t c = classes[static_cast<std::size_t>(i)];
  check(c >= 0 && c < count, ExitCode::kBadData,
        "[sparse_categorical_crossentropy] expected a class in [0, {}), got {} at position {}",
        count, c, i);
  return c;
}

/// l = log(sum exp z) - z_c,  dl/dz = softmax(z) - onehot(c)
double sparse_from_logits(Matrix z, std::span<const std::int32_t> classes, Matrix gradient,
                          float scale, bool fused) {
  double total = 0;
  for (std::int64_t i = 0; i < z.rows; ++i) {
    const std::int64_t c = checked_class(classes, i, z.columns);
    const auto true_logit = static_cast<double>(z.row(i)[c]);
    float* p = probabilities_row(z, gradient, i, fused);
    total += softmax(z.row(i), p, z.columns) - true_logit;
    if (gradient.empty()) continue;
    float* g = gradient.row(i);
    const float true_probability = p[c];
    for (std::int64_t j = 0; j < z.columns; ++j) g[j] = scale * p[j];
    g[c] = scale * (true_probability - 1);
  }
  return total;
}

/// q = clip(p),  l = log(sum q) - log(q_c): TensorFlow takes log(q) for logits.
double sparse_from_probabilities(ConstMatrix p, std::span<const std::int32_t> classes,
                                 Matrix gradient, float scale) {
  double total = 0;
  for (std::int64_t i = 0; i < p.rows; ++i) {
    const std::int64_t c = checked_class(classes, i, p.columns);
    const float* row = p.row(i);
    double sum = 0;
    for (std::int64_t j = 0; j < p.columns; ++j) sum += static_cast<double>(clip(row[j]));
    const auto q_true = static_cast<double>(clip(row[c]));
    total += log(sum) - log(q_true);
    if (gradient.empty()) continue;
    float* g = gradient.row(i);
    const auto others = static_cast<float>(static_cast<double>(scale) / sum);
    for (std::int64_t j = 0; j < p.columns; ++j) g[j] = inside(row[j]) ? others : 0.0f;
    if (inside(row[c]))
      g[c] = static_cast<float>(static_cast<double>(scale) * (1 / sum - 1 / q_true));
  }
  return total;
}

/// Targets moved towards the uniform distribution over `classes`: t (1 - a) + a / classes.
class Smoothing {
 public:
  Smoothing(double a, double classes)
      : keep_(static_cast<float>(1 - a)), shift_(static_cast<float>(a / classes)) {}
  float operator()(float t) const { return t * keep_ + shift_; }

 private:
  float keep_;
  float shift_;
};

/// t = smoothed targets,  l = sum t * log(sum exp z) - sum t z,  dl/dz = sum t * softmax(z) - t
double categorical_from_logits(Matrix z, ConstMatrix targets, Matrix gradient, float scale,
                               bool fused, Smoothing smooth) {
  double total = 0;
  for (std::int64_t i = 0; i < z.rows; ++i) {
    const float* t = targets.row(i);
    double sum_t = 0;
    double sum_tz = 0;
    for (std::int64_t j = 0; j < z.columns; ++j) {
      const auto smoothed = static_cast<double>(smooth(t[j]));
      sum_t += smoothed;
      sum_tz += smoothed * static_cast<double>(z.row(i)[j]);
    }
    float* p = probabilities_row(z, gradient, i, fused);
    total += sum_t * softmax(z.row(i), p, z.columns) - sum_tz;
    if (gradient.empty()) continue;
    float* g = gradient.row(i);
    const auto weight = static_cast<float>(sum_t);
    for (std::int64_t j = 0; j < z.columns; ++j) g[j] = scale * (weight * p[j] - smooth(t[j]));
  }
  return total;
}

/// u = p / sum p,  q = clip(u),  l = -sum t log q
double categorical_from_probabilities(ConstMatrix p, ConstMatrix targets, Matrix gradient,
                                      float scale, Smoothing smooth) {
  double total = 0;
  for (std::int64_t i = 0; i < p.rows; ++i) {
    const float* row = p.row(i);
    const float* t = targets.row(i);
    float sum = 0;
    for (std::int64_t j = 0; j < p.columns; ++j) sum += row[j];
    double loss = 0;
    for (std::int64_t j = 0; j < p.columns; ++j)
      loss -= static_cast<double>(smooth(t[j])) * log(static_cast<double>(clip(row[j] / sum)));
    total += loss;
    if (gradient.empty()) continue;
    // By u: d_j = -t_j / q_j inside the clip;  by p: (d_i - sum_j d_j u_j) / sum p.
    float* g = gradient.row(i);
    double dot = 0;
    for (std::int64_t j = 0; j < p.columns; ++j) {
      const float u = row[j] / sum;
      g[j] = inside(u) ? -smooth(t[j]) / u : 0.0f;
      dot += static_cast<double>(g[j]) * static_cast<double>(u);
    }
    const auto mean = static_cast<float>(dot);
    for (std::int64_t j = 0; j < p.columns; ++j) g[j] = scale * ((g[j] - mean) / sum);
  }
  return total;
}

/// l = mean of max(z, 0) - z t + log(1 + e^-|z|),  dl/dz = (sigmoid(z) - t) / K
double binary_from_logits(Matrix outputs, ConstMatrix targets, Matrix gradient, float scale,
                          bool fused, Smoothing smooth) {
  const auto count = static_cast<double>(outputs.columns);
  const float share = static_cast<float>(static_cast<double>(scale) / count);
  double total = 0;
  for (std::int64_t i = 0; i < outputs.rows; ++i) {
    double loss = 0;
    for (std::int64_t j = 0; j < outputs.columns; ++j) {
      const float z = outputs.row(i)[j];
      const float t = smooth(targets.row(i)[j]);
      const float e = exp(-std::abs(z));
      loss += static_cast<double>(std::max(z, 0.0f)) -
              static_cast<double>(z) * static_cast<double>(t) + log1p(static_cast<double>(e));
      // Both branches of a sigmoid that cannot overflow, as activate(kSigmoid) has them.
      const float p = z >= 0 ? 1.0f / (1.0f + e) : e / (1.0f + e);
      if (fused) outputs.row(i)[j] = p;
      if (!gradient.empty()) gradient.row(i)[j] = share * (p - t);
    }
    total += loss / count;
  }
  return total;
}

/// q = clip(p),  l = mean of -(t log q + (1 - t) log(1 - q))
double binary_from_probabilities(ConstMatrix outputs, ConstMatrix targets, Matrix gradient,
                                 float scale, Smoothing smooth) {
  const auto count = static_cast<double>(outputs.columns);
  const double share = static_cast<double>(scale) / count;
  double total = 0;
  for (std::int64_t i = 0; i < outputs.rows; ++i) {
    double loss = 0;
    for (std::int64_t j = 0; j < outputs.columns; ++j) {
      const float p = outputs.row(i)[j];
      const auto q = static_cast<double>(clip(p));
      const auto t = static_cast<double>(smooth(targets.row(i)[j]));
      loss -= t * log(q) + (1 - t) * log(1 - q);
      if (gradient.empty()) continue;
      const double derivative = inside(p) ? (1 - t) / (1 - q) - t / q : 0.0;
      gradient.row(i)[j] = static_cast<float>(share * derivative);
    }
    total += loss / count;
  }
  return total;
}

nlohmann::ordered_json written(const Loss& loss, const char* class_name,
                               const CrossentropySettings& settings, bool has_smoothing) {
  if (!settings.from_logits && settings.label_smoothing == 0) return loss.name();
  nlohmann::ordered_json config;
  config["from_logits"] = settings.from_logits;
  if (has_smoothing) config["label_smoothing"] = settings.label_smoothing;
  return {{"class_name", class_name}, {"config", std::move(config)}};
}

}  // namespace

double SparseCategoricalCrossentropy::compute(Matrix outputs, const Targets& targets,
                                              Matrix gradient, float scale, bool fused) const {
  check_targets("sparse_categorical_crossentropy", outputs, targets, target_kind());
  if (fused || from_logits_)
    return sparse_from_logits(outputs, targets.classes, gradient, scale, fused);
  return sparse_from_probabilities(outputs, targets.classes, gradient, scale);
}

double CategoricalCrossentropy::compute(Matrix outputs, const Targets& targets, Matrix gradient,
                                        float scale, bool fused) const {
  check_targets("categorical_crossentropy", outputs, targets, target_kind());
  const auto classes = static_cast<double>(std::max<std::int64_t>(outputs.columns, 1));
  const Smoothing smooth(settings_.label_smoothing, classes);
  if (fused || settings_.from_logits)
    return categorical_from_logits(outputs, targets.values, gradient, scale, fused, smooth);
  return categorical_from_probabilities(outputs, targets.values, gradient, scale, smooth);
}

double BinaryCrossentropy::compute(Matrix outputs, const Targets& targets, Matrix gradient,
                                   float scale, bool fused) const {
  check_targets("binary_crossentropy", outputs, targets, target_kind());
  const Smoothing smooth(settings_.label_smoothing, 2);
  if (fused || settings_.from_logits)
    return binary_from_logits(outputs, targets.values, gradient, scale, fused, smooth);
  return binary_from_probabilities(outputs, targets.values, gradient, scale, smooth);
}

nlohmann::ordered_json SparseCategoricalCrossentropy::to_json() const {
  return written(*this, "SparseCategoricalCrossentropy", {from_logits_, 0}, false);
}

nlohmann::ordered_json CategoricalCrossentropy::to_json() const {
  return written(*this, "CategoricalCrossentropy", settings_, true);
}

nlohmann::ordered_json BinaryCrossentropy::to_json() const {
  return written(*this, "BinaryCrossentropy", settings_, true);
}

}  // namespace lockstep
