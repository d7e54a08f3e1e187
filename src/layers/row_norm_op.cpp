#include "src/layers/row_norm_op.hpp"

#include "src/graph/grain_sums.hpp"
#include "src/kernels/gemm.hpp"

namespace lockstep {
Moments RowNormOp::moments(const float* x) const {
  const auto count = static_cast<double>(elements_);
  const auto [sum, squares] = kernels().row_sums(x, elements_);
  switch (norm_) {
    case RowNorm::kDeviation:
      return moments_of(sum / count, variance_of(sum, squares, count), epsilon_);
    case RowNorm::kRootMeanSquare:
      return moments_of(0, squares / count, epsilon_);
    case RowNorm::kLength:
      return moments_of(0, squares < epsilon_ ? epsilon_ : squares, 0);
  }
  return {};
}

/// Whether it is the constant epsilon that divides.
bool RowNormOp::is_short(const Moments& moments) const {
  return norm_ == RowNorm::kLength && moments.inverse == moments_of(0, epsilon_, 0).inverse;
}

void RowNormOp::forward(const Pass&, const OpValues& values) const {
  const ConstMatrix x = ConstMatrix(values.x()).with_columns(elements_);
  const Matrix y = values.y().with_columns(elements_);
  float* kept = values.kept().data;
  for (std::int64_t i = 0; i < x.rows; ++i) {
    const Moments of_row = moments(x.row(i));
    kernels().normalize_row(x.row(i), y.row(i), elements_, of_row, affine_.scale(),
                            affine_.offset());
    if (kept == nullptr) continue;
    write_moments(of_row, kept);
    kept += kMomentFloats;
  }
}

/// dx = (g - mean of g - xhat * mean of g xhat) * inverse, g = dy * scale, for a deviation; without
/// the mean of g for a root mean square, with the sum of g xhat for a length.
void RowNormOp::backward(const Pass&, const OpValues& values) const {
  if (values.dx().empty()) return;
  const Matrix dx = values.dx().with_columns(elements_);
  const ConstMatrix x = values.x().with_columns(elements_);
  const ConstMatrix dy = values.dy().with_columns(elements_);
  const float* kept = values.kept().data;
  const double share = 1 / static_cast<double>(elements_);
  for (std::int64_t i = 0; i < x.rows; ++i, kept += kMomentFloats) {
    const Moments of_row = read_moments(kept);
    const double a_share = norm_ == RowNorm::kDeviation ? share : 0;
    const double b_share = norm_ != RowNorm::kLength ? share : is_short(of_row) ? 0 : 1;
    kernels().normalize_row_backward(x.row(i), dy.row(i), dx.row(i), elements_, of_row,
                                     affine_.scale(), a_share, b_share);
  }
}

/// By the scale: per grain one chain over (sample, position) of dy xhat; by the offset: of dy.
void RowNormOp::gradient(const Pass&, const OpValues& values, const Subtrees& of_samples,
                         std::size_t parameter, Range elements, float* out) const {
  const ConstMatrix x = values.x().with_columns(elements_);
  const ConstMatrix dy = values.dy().with_columns(elements_);
  const float* const kept = values.kept().data;
  if (!affine_.is_scale(parameter))
    return sum_rows(dy, of_samples.with_positions(positions_), elements, out);
  sum_grains(of_samples, elements, out, [&](Range samples, Range some, float* sums) {
    for (std::int64_t row = samples.first * positions_; row < samples.last * positions_; ++row)
      kernels().add_row_products(x.row(row) + some.first, dy.row(row) + some.first, sums,
                                 some.count(), read_moments(kept + row * kMomentFloats));
  });
}

Range RowNormOp::gradient_columns(std::size_t parameter, Range elements,
                                  std::int64_t columns) const {
  if (!affine_.is_scale(parameter)) return {};
  return positions_ == 1 ? elements : Range{0, columns};
}

}  // namespace lockstep
