#include "src/layers/noise.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/kernels/kernels.hpp"
#include "src/layers/random_factors_op.hpp"

namespace lockstep {
namespace {

/// Not in place: y first holds the noise.
class AddedNoiseOp final : public Op {
 public:
  AddedNoiseOp(double stddev, std::uint32_t key) : stddev_(stddev), key_(key) {}

  Needs needs() const override {
    return {.backward_in_place = true,
            .backward_reads_x = false,
            .backward_reads_y = false,
            .draws = stddev_ != 0};
  }
  void forward(const Pass& pass, const OpValues& values) const override {
    const ConstMatrix x = values.x();
    const Matrix y = values.y();
    if (!pass.training || stddev_ == 0) return copy_values(x, y);
    const RowRandom random(pass, Purpose::kNoise, key_);
    for (std::int64_t i = 0; i < x.rows; ++i)
      random.normals(values.batch_row() + i, 0, stddev_, y.rows_from(i, 1).flat());
    kernels().sum(x.data, y.data, y.data, x.size());
  }
  void backward(const Pass&, const OpValues& values) const override {
    if (!values.dx().empty()) copy_values(values.dy(), values.dx());
  }

 private:
  double stddev_;
  std::uint32_t key_;
};

class MultipliedNoiseOp final : public RandomFactorsOp {
 public:
  MultipliedNoiseOp(double rate, std::int64_t elements, std::uint32_t key)
      : RandomFactorsOp(rate != 0, elements, Purpose::kNoise, key),
        stddev_(std::sqrt(rate / (1 - rate))) {}

 private:
  void draw(const RowRandom& random, std::int64_t row, std::span<float> factors) const override {
    random.normals(row, 1, stddev_, factors);
  }

  double stddev_;
};

}  // namespace

GaussianNoise::GaussianNoise(double stddev) : stddev_(stddev) {
  check(stddev >= 0, ExitCode::kBadData,
        "[gaussian_noise] expected a standard deviation of at least 0, got {}", stddev);
}

std::size_t GaussianNoise::lower(Graph& graph, std::span<const std::size_t> inputs) {
  const Shape shape = graph.shape(inputs[0]);
  return graph.add(std::make_unique<AddedNoiseOp>(stddev_, random_key()), {inputs[0]}, shape);
}

nlohmann::ordered_json GaussianNoise::config() const {
  return {{"stddev", stddev_}, {"seed", nullptr}};
}

GaussianDropout::GaussianDropout(double rate) : rate_(rate) {
  check(rate >= 0 && rate < 1, ExitCode::kBadData,
        "[gaussian_dropout] expected a rate of at least 0 and below 1, got {}", rate);
}

std::size_t GaussianDropout::lower(Graph& graph, std::span<const std::size_t> inputs) {
  const Shape shape = graph.shape(inputs[0]);
  return graph.add(std::make_unique<MultipliedNoiseOp>(rate_, element_count(shape), random_key()),
                   {inputs[0]}, shape);
}

nlohmann::ordered_json GaussianDropout::config() const {
  return {{"rate", rate_}, {"seed", nullptr}};
}

}  // namespace lockstep
