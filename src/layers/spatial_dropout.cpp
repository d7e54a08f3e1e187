#include "src/layers/spatial_dropout.hpp"

#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/kernels/kernels.hpp"
#include "src/layers/random_factors_op.hpp"

namespace lockstep {
namespace {

/// One factor for each channel is kept.
class SpatialDropoutOp final : public RandomFactorsOp {
 public:
  SpatialDropoutOp(double rate, std::int64_t channels, bool channels_first, Purpose purpose,
                   std::uint32_t key, std::uint32_t part = 0)
      : RandomFactorsOp(rate != 0, channels, purpose, key, part),
        rate_(rate),
        channels_(channels),
        channels_first_(channels_first) {}

 private:
  void draw(const RowRandom& random, std::int64_t row, std::span<float> factors) const override {
    random.mask(row, rate_, scale_of_kept(rate_), factors);
  }
  void multiply(ConstMatrix x, ConstMatrix factors, Matrix y) const override {
    const std::int64_t positions = x.columns / channels_;
    for (std::int64_t i = 0; i < x.rows; ++i) {
      const float* from = x.row(i);
      float* to = y.row(i);
      const float* const factor = factors.row(i);
      if (channels_first_) {
        for (std::int64_t c = 0; c < channels_; ++c, from += positions, to += positions)
          kernels().scale_shift(from, to, positions, factor[c], 0.0f);
      } else {
        for (std::int64_t p = 0; p < positions; ++p, from += channels_, to += channels_)
          kernels().multiply(from, factor, to, channels_);
      }
    }
  }

  double rate_;
  std::int64_t channels_;
  bool channels_first_;
};

}  // namespace

std::unique_ptr<Op> make_spatial_dropout_op(double rate, std::int64_t channels, Purpose purpose,
                                            std::uint32_t key, std::uint32_t part) {
  return std::make_unique<SpatialDropoutOp>(rate, channels, false, purpose, key, part);
}

SpatialDropout::SpatialDropout(int dimensions, double rate, bool channels_first)
    : dimensions_(dimensions), rate_(rate), channels_first_(channels_first) {
  check(rate >= 0 && rate <= 1, ExitCode::kBadData,
        "[spatial_dropout] expected a rate in [0, 1], got {}", rate);
}

std::string SpatialDropout::class_name() const {
  return fmt::format("SpatialDropout{}D", dimensions_);
}

std::size_t SpatialDropout::lower(Graph& graph, std::span<const std::size_t> inputs) {
  const Shape shape = graph.shape(inputs[0]);
  check(shape.size() == static_cast<std::size_t>(dimensions_) + 1, ExitCode::kBadData,
        "[{}] expected an input of {} axes (batch, {} of positions, channels), got {}", name(),
        dimensions_ + 2, dimensions_, to_string_batched(shape));
  const std::int64_t channels = channels_first_ ? shape.front() : shape.back();
  return graph.add(std::make_unique<SpatialDropoutOp>(rate_, channels, channels_first_,
                                                      Purpose::kDropout, random_key()),
                   {inputs[0]}, shape);
}

/// Keras 3 takes no other keys, not even Keras 2's noise_shape.
nlohmann::ordered_json SpatialDropout::config() const {
  nlohmann::ordered_json config = {{"rate", rate_}, {"seed", nullptr}};
  if (dimensions_ > 1) config["data_format"] = channels_first_ ? "channels_first" : "channels_last";
  return config;
}

}  // namespace lockstep
