#include "src/layers/dropout.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/core/random.hpp"
#include "src/kernels/kernels.hpp"

namespace lockstep {

Dropout::Dropout(double rate) : rate_(rate) {
  check(rate >= 0 && rate <= 1, ExitCode::kBadData, "[dropout] expected a rate in [0, 1], got {}",
        rate);
}

Shape Dropout::build(const Shape& input) {
  elements_ = element_count(input);
  return input;
}

void Dropout::forward(const Pass& pass, ConstMatrix x, Matrix y, std::span<float> kept) const {
  if (!pass.training || rate_ == 0) {
    std::copy_n(x.data, x.size(), y.data);
    return;
  }
  // An element is dropped if its random word is below rate * 2^32; a rate of 1 drops every word.
  const auto threshold = static_cast<std::uint64_t>(std::ldexp(rate_, 32));
  const float scale = rate_ < 1 ? static_cast<float>(1.0 / (1.0 - rate_)) : 0.0f;
  const RandomStream random(pass.seed, Purpose::kDropout, static_cast<std::uint32_t>(pass.step),
                            static_cast<std::uint32_t>(index()));
  const std::int64_t blocks = (elements_ + 3) / 4;  // four words each, a row starts a new block
  for (std::int64_t i = 0; i < x.rows; ++i) {
    float* mask = kept.data() + i * elements_;
    const auto first_block = static_cast<std::uint64_t>((pass.first_row + i) * blocks);
    for (std::int64_t j = 0; j < elements_; j += 4) {
      const auto words = random.words(first_block + static_cast<std::uint64_t>(j / 4));
      for (std::int64_t k = 0; k < std::min<std::int64_t>(4, elements_ - j); ++k)
        mask[j + k] = words[static_cast<std::size_t>(k)] < threshold ? 0.0f : scale;
    }
  }
  kernels().multiply(x.data, kept.data(), y.data, x.size());
}

void Dropout::backward(const Pass&, ConstMatrix, ConstMatrix, Matrix dy, Matrix dx,
                       std::span<const float> kept) const {
  if (dx.empty()) return;
  if (rate_ == 0) {
    std::copy_n(dy.data, dy.size(), dx.data);
  } else {
    kernels().multiply(dy.data, kept.data(), dx.data, dy.size());
  }
}

nlohmann::ordered_json Dropout::config() const {
  return {{"rate", rate_}, {"noise_shape", nullptr}, {"seed", nullptr}};
}

}  // namespace lockstep
