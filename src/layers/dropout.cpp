#include "src/layers/dropout.hpp"

#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/layers/random_factors_op.hpp"

namespace lockstep {
namespace {

class DropoutOp final : public RandomFactorsOp {
 public:
  DropoutOp(double rate, std::int64_t elements, std::uint32_t key)
      : RandomFactorsOp(rate != 0, elements, Purpose::kDropout, key), rate_(rate) {}

 private:
  void draw(const RowRandom& random, std::int64_t row, std::span<float> factors) const override {
    random.mask(row, rate_, scale_of_kept(rate_), factors);
  }

  double rate_;
};

}  // namespace

Dropout::Dropout(double rate) : rate_(rate) {
  check(rate >= 0 && rate <= 1, ExitCode::kBadData, "[dropout] expected a rate in [0, 1], got {}",
        rate);
}

std::size_t Dropout::lower(Graph& graph, std::span<const std::size_t> inputs) {
  const Shape shape = graph.shape(inputs[0]);
  return graph.add(std::make_unique<DropoutOp>(rate_, element_count(shape), random_key()),
                   {inputs[0]}, shape);
}

nlohmann::ordered_json Dropout::config() const {
  return {{"rate", rate_}, {"noise_shape", nullptr}, {"seed", nullptr}};
}

}  // namespace lockstep
