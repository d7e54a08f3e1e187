#include "src/losses/crossentropy.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "src/core/elementary.hpp"
#include "src/kernels/kernels.hpp"
#include "src/losses/check_targets.hpp"
#include "src/losses/probabilities.hpp"

namespace lockstep {
namespace {

using elementary::exp;
using elementary::log;
using elementary::log1p;

/// Rows whose sums are kept on the stack.
constexpr std::int64_t kBlock = 64;
using BlockSums = std::array<double, kBlock>;

/// Where the probabilities of logits go: to the outputs themselves if fused, else to the gradient,
/// which is made from them, or nowhere.
float* probabilities(Matrix outputs, Matrix gradient, bool fused) {
  return fused ? outputs.data : gradient.data;
}

/// null if there is no array.
float* row_or_null(float* data, std::int64_t row, std::int64_t columns) {
  return data == nullptr ? nullptr : data + row * columns;
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
  for (std::int64_t i = 0; i < z.rows; ++i) checked_class(classes, i, z.columns);
  float* p = probabilities(z, gradient, fused);
  double total = 0;
  for (std::int64_t first = 0; first < z.rows; first += kBlock) {
    const std::int64_t count = std::min(kBlock, z.rows - first);
    BlockSums losses;
    kernels().sparse_crossentropy(
        z.row(first), classes.data() + first, row_or_null(p, first, z.columns),
        row_or_null(gradient.data, first, z.columns), losses.data(), count, z.columns, scale);
    for (std::int64_t i = 0; i < count; ++i) total += losses[static_cast<std::size_t>(i)];
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

/// t = smoothed targets,  l = sum t * log(sum exp z) - sum t z,  dl/dz = sum t * softmax(z) - t
double categorical_from_logits(Matrix z, ConstMatrix targets, Matrix gradient, float scale,
                               bool fused, Smoothing smooth) {
  const std::int64_t columns = z.columns;
  float* p = probabilities(z, gradient, fused);
  double total = 0;
  for (std::int64_t first = 0; first < z.rows; first += kBlock) {
    const auto count = static_cast<std::size_t>(std::min(kBlock, z.rows - first));
    const float* t = targets.row(first);
    const float* logits = z.row(first);
    BlockSums sums_t{};
    BlockSums sums_tz{};
    for (std::size_t i = 0; i < count; ++i, t += columns, logits += columns) {
      for (std::int64_t j = 0; j < columns; ++j) {
        const auto smoothed = static_cast<double>(smooth(t[j]));
        sums_t[i] += smoothed;
        sums_tz[i] += smoothed * static_cast<double>(logits[j]);
      }
    }
    BlockSums log_sums;
    float* block = row_or_null(p, first, columns);
    kernels().softmax(z.row(first), block, log_sums.data(), static_cast<std::int64_t>(count),
                      columns);
    for (std::size_t i = 0; i < count; ++i) total += sums_t[i] * log_sums[i] - sums_tz[i];
    if (gradient.empty()) continue;
    t = targets.row(first);
    float* g = gradient.row(first);
    for (std::size_t i = 0; i < count; ++i, t += columns, block += columns, g += columns) {
      const auto weight = static_cast<float>(sums_t[i]);
      for (std::int64_t j = 0; j < columns; ++j) g[j] = scale * (weight * block[j] - smooth(t[j]));
    }
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
      const float p = elementary::sigmoid(z);
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
