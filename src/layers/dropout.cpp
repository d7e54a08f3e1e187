#include "src/layers/dropout.hpp"

#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/kernels/kernels.hpp"
#include "src/layers/row_random.hpp"

namespace lockstep {

namespace {

class DropoutOp final : public Op {
 public:
  DropoutOp(double rate, std::int64_t elements, std::uint32_t key)
      : rate_(rate), elements_(elements), key_(key) {}

  Needs needs() const override {
    return {.kept_per_row = elements_,
            .forward_in_place = true,
            .backward_in_place = true,
            .backward_reads_x = false,
            .backward_reads_y = false};
  }
  void forward(const Pass& pass, const OpValues& values) const override;
  void backward(const Pass& pass, const OpValues& values) const override;

 private:
  double rate_;
  std::int64_t elements_;
  std::uint32_t key_;
};

void DropoutOp::forward(const Pass& pass, const OpValues& values) const {
  const ConstMatrix x = values.x();
  if (!pass.training || rate_ == 0) return copy_values(x, values.y());
  const float scale = rate_ < 1 ? static_cast<float>(1.0 / (1.0 - rate_)) : 0.0f;
  const RowRandom random(pass, Purpose::kDropout, key_);
  const Matrix kept = values.kept();
  for (std::int64_t i = 0; i < x.rows; ++i)
    random.mask(values.batch_row() + i, rate_, scale, kept.rows_from(i, 1).flat());
  kernels().multiply(x.data, kept.data, values.y().data, x.size());
}

void DropoutOp::backward(const Pass& pass, const OpValues& values) const {
  const Matrix dx = values.dx();
  if (dx.empty()) return;
  if (!pass.training || rate_ == 0) return copy_values(values.dy(), dx);
  kernels().multiply(values.dy().data, values.kept().data, dx.data, dx.size());
}

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
