#pragma once

#include <memory>
#include <string>

#include "src/core/random.hpp"
#include "src/layers/layer.hpp"

namespace lockstep {

/// Dropout of whole channels, at all positions of a sample alike (Tompson et al., CVPR 2015):
/// Keras's SpatialDropout1D, 2D and 3D.
class SpatialDropout final : public Layer {
 public:
  /// `dimensions`: of positions, 1 to 3, the channels stand behind (or before) them; 0 <= rate <=
  /// 1, else Error (65).
  SpatialDropout(int dimensions, double rate, bool channels_first = false);

  std::string class_name() const override;
  bool is_never_trainable() const override { return true; }
  nlohmann::ordered_json config() const override;

 private:
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;

  int dimensions_;
  double rate_;
  bool channels_first_;
};

/// Of an input (positions, channels). `part`: of RowRandom.
std::unique_ptr<Op> make_spatial_dropout_op(double rate, std::int64_t channels, Purpose purpose,
                                            std::uint32_t key, std::uint32_t part = 0);

}  // namespace lockstep
