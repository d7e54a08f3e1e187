#pragma once

#include <string>

#include "src/core/random.hpp"
#include "src/layers/layer.hpp"

namespace lockstep {

/// Adds the op of Dropout, whose random numbers are those of this purpose and key.
std::size_t dropped_out(Graph& graph, std::size_t value, double rate, Purpose purpose,
                        std::uint32_t random_key);

/// In training each element is kept with probability 1 - rate and scaled by 1 / (1 - rate), else
/// zero (Srivastava et al., JMLR 2014, inverted). The mask is a function of seed, step, position in
/// the global batch, layer and element: the same on any number of ranks.
class Dropout final : public Layer {
 public:
  explicit Dropout(double rate);  ///< 0 <= rate <= 1, else Error (65)

  std::string class_name() const override { return "Dropout"; }
  nlohmann::ordered_json config() const override;

 private:
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;

  double rate_;
};

}  // namespace lockstep
