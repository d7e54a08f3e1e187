#pragma once

#include <string>

#include "src/layers/layer.hpp"
#include "src/layers/pool_op.hpp"
#include "src/layers/window.hpp"

namespace lockstep {

/// MaxPooling and AveragePooling over 1 to 3 axes of positions: (positions ..., channels). Padding
/// counts for nothing: an average is that of the positions that there are.
class Pooling final : public Layer {
 public:
  Pooling(Pool pool, Window window) : pool_(pool), window_(std::move(window)) {}

  std::string class_name() const override;  ///< "MaxPooling2D"
  OnMask on_mask() const override { return OnMask::kEnds; }
  nlohmann::ordered_json config() const override;

 private:
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;

  Pool pool_;
  Window window_;
};

/// Over all positions: (positions ..., channels) -> (channels), or (1, ..., channels).
class GlobalPooling final : public Layer {
 public:
  GlobalPooling(Pool pool, std::size_t axes, bool keep_axes)
      : pool_(pool), axes_(axes), keep_axes_(keep_axes) {}

  std::string class_name() const override;  ///< "GlobalAveragePooling2D"
  /// A mask's average is that of the steps that count; NaN, as Keras's, if none does.
  OnMask on_mask() const override {
    return pool_ == Pool::kAverage && axes_ == 1 ? OnMask::kLowers : OnMask::kEnds;
  }
  nlohmann::ordered_json config() const override;

 private:
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;

  Pool pool_;
  std::size_t axes_;
  bool keep_axes_;
};

/// Keras 3's: to a given number of positions on each axis. Output i of n is taken of the positions
/// from floor(i extent / n) to ceil((i + 1) extent / n).
class AdaptivePooling final : public Layer {
 public:
  AdaptivePooling(Pool pool, Shape output_size);  ///< positive, of 1 to 3 axes

  std::string class_name() const override;  ///< "AdaptiveAveragePooling2D"
  OnMask on_mask() const override { return OnMask::kEnds; }
  nlohmann::ordered_json config() const override;

 private:
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;

  Pool pool_;
  Shape output_size_;
};

}  // namespace lockstep
