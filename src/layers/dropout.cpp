#include "src/layers/dropout.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/core/random.hpp"
#include "src/kernels/kernels.hpp"

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
  // An element is dropped if its random word is below rate * 2^32; a rate of 1 drops every word.
  const auto threshold = static_cast<std::uint64_t>(std::ldexp(rate_, 32));
  const float scale = rate_ < 1 ? static_cast<float>(1.0 / (1.0 - rate_)) : 0.0f;
  const RandomStream random(pass.seed, Purpose::kDropout, static_cast<std::uint32_t>(pass.step),
                            key_);
  const std::int64_t blocks = (elements_ + 3) / 4;  // four words each, a row starts a new block
  const Matrix kept = values.kept();
  for (std::int64_t i = 0; i < x.rows; ++i) {
    float* mask = kept.row(i);
    const auto first_block = static_cast<std::uint64_t>((values.batch_row() + i) * blocks);
    for (std::int64_t j = 0; j < elements_; j += 4) {
      const auto words = random.words(first_block + static_cast<std::uint64_t>(j / 4));
      for (std::int64_t k = 0; k < std::min<std::int64_t>(4, elements_ - j); ++k)
        mask[j + k] = words[static_cast<std::size_t>(k)] < threshold ? 0.0f : scale;
    }
  }
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
