#include "src/layers/alpha_dropout.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/kernels/kernels.hpp"
#include "src/layers/row_random.hpp"

namespace lockstep {
namespace {

/// Where the mask lets x through y = a x + b, else y = a lowest + b.
class AlphaDropoutOp final : public Op {
 public:
  AlphaDropoutOp(double rate, std::int64_t elements, std::uint32_t key)
      : rate_(rate), elements_(elements), key_(key) {
    constexpr double kLowest = -1.6732632423543772 * 1.0507009873554805;
    const double a = 1 / std::sqrt((1 - rate) * (1 + rate * kLowest * kLowest));
    scale_ = static_cast<float>(a);
    offset_ = static_cast<float>(-a * kLowest * rate);
    dropped_ = scale_ * static_cast<float>(kLowest) + offset_;
  }

  Needs needs() const override {
    return {.kept_per_row = elements_,
            .forward_in_place = true,
            .backward_in_place = true,
            .backward_reads_x = false,
            .backward_reads_y = false};
  }
  void forward(const Pass& pass, const OpValues& values) const override;
  void backward(const Pass& pass, const OpValues& values) const override {
    const Matrix dx = values.dx();
    if (dx.empty()) return;
    if (!pass.training || rate_ == 0) return copy_values(values.dy(), dx);
    kernels().multiply(values.dy().data, values.kept().data, dx.data, dx.size());
  }

 private:
  double rate_;
  std::int64_t elements_;
  std::uint32_t key_;
  float scale_, offset_, dropped_;
};

void AlphaDropoutOp::forward(const Pass& pass, const OpValues& values) const {
  const ConstMatrix x = values.x();
  if (!pass.training || rate_ == 0) return copy_values(x, values.y());
  const RowRandom random(pass, Purpose::kDropout, key_);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    const Matrix mask = values.kept().rows_from(i, 1);  // of 0 and a
    random.mask(values.batch_row() + i, rate_, scale_, mask.flat());
    float* const y = values.y().row(i);
    for (std::int64_t j = 0; j < elements_; ++j)
      y[j] = mask.data[j] == 0 ? dropped_ : x.row(i)[j] * scale_ + offset_;
  }
}

}  // namespace

AlphaDropout::AlphaDropout(double rate) : rate_(rate) {
  check(rate >= 0 && rate < 1, ExitCode::kBadData,
        "[alpha_dropout] expected a rate of at least 0 and below 1, got {}", rate);
}

std::size_t AlphaDropout::lower(Graph& graph, std::span<const std::size_t> inputs) {
  const Shape shape = graph.shape(inputs[0]);
  return graph.add(std::make_unique<AlphaDropoutOp>(rate_, element_count(shape), random_key()),
                   {inputs[0]}, shape);
}

nlohmann::ordered_json AlphaDropout::config() const {
  return {{"rate", rate_}, {"seed", nullptr}};
}

}  // namespace lockstep
