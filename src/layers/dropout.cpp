#include "src/layers/dropout.hpp"

#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/layers/random_factors_op.hpp"

namespace lockstep {
namespace {

class DropoutOp final : public RandomFactorsOp {
 public:
  DropoutOp(double rate, std::int64_t elements, Purpose purpose, std::uint32_t key)
      : RandomFactorsOp(rate != 0, elements, purpose, key), rate_(rate) {}

 private:
  void draw(const RowRandom& random, std::int64_t row, std::span<float> factors) const override {
    random.mask(row, rate_, scale_of_kept(rate_), factors);
  }

  double rate_;
};

}  // namespace

std::size_t dropped_out(Graph& graph, std::size_t value, double rate, Purpose purpose,
                        std::uint32_t random_key) {
  const Shape shape = graph.shape(value);
  return graph.add(std::make_unique<DropoutOp>(rate, element_count(shape), purpose, random_key),
                   {value}, shape);
}

Dropout::Dropout(double rate) : rate_(rate) {
  check(rate >= 0 && rate <= 1, ExitCode::kBadData, "[dropout] expected a rate in [0, 1], got {}",
        rate);
}

std::size_t Dropout::lower(Graph& graph, std::span<const std::size_t> inputs) {
  return dropped_out(graph, inputs[0], rate_, Purpose::kDropout, random_key());
}

nlohmann::ordered_json Dropout::config() const {
  return {{"rate", rate_}, {"noise_shape", nullptr}, {"seed", nullptr}};
}

}  // namespace lockstep
