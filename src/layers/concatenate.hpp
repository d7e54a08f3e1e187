#pragma once

#include <string>

#include "src/layers/layer.hpp"

namespace lockstep {

/// The inputs one behind the other along an axis; all other extents are equal. `axis` counts the
/// batch axis, which it cannot be: 1 is the first one of a sample, -1 the last one.
class Concatenate final : public Layer {
 public:
  explicit Concatenate(std::int64_t axis = -1);  ///< not 0, else Error (65)

  std::string class_name() const override { return "Concatenate"; }
  bool merges() const override { return true; }
  OnMask on_mask() const override { return OnMask::kLowers; }
  nlohmann::ordered_json config() const override;

 private:
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;
  std::optional<std::size_t> mask_of(Graph& graph, std::span<const std::size_t> inputs) const;

  std::int64_t axis_;
};

}  // namespace lockstep
