#include "src/layers/alpha_dropout.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/layers/random_factors_op.hpp"

namespace lockstep {
namespace {

/// Where the mask lets x through y = a x + b, else y = a lowest + b.
class AlphaDropoutOp final : public RandomFactorsOp {
 public:
  AlphaDropoutOp(double rate, std::int64_t elements, std::uint32_t key)
      : RandomFactorsOp(rate != 0, elements, Purpose::kDropout, key), rate_(rate) {
    constexpr double kLowest = -1.6732632423543772 * 1.0507009873554805;
    const double a = 1 / std::sqrt((1 - rate) * (1 + rate * kLowest * kLowest));
    scale_ = static_cast<float>(a);
    offset_ = static_cast<float>(-a * kLowest * rate);
    dropped_ = scale_ * static_cast<float>(kLowest) + offset_;
  }

 private:
  void draw(const RowRandom& random, std::int64_t row, std::span<float> factors) const override {
    random.mask(row, rate_, scale_, factors);
  }
  void apply(ConstMatrix x, ConstMatrix factors, Matrix y) const override {
    for (std::int64_t i = 0; i < x.size(); ++i)
      y.data[i] = factors.data[i] == 0 ? dropped_ : x.data[i] * scale_ + offset_;
  }

  double rate_;
  float scale_, offset_, dropped_;
};

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
