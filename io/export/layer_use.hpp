#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "io/export/tensor.hpp"
#include "src/layers/layer.hpp"
#include "src/model/network.hpp"

namespace lockstep {

/// A mask in the program that is written: bool (N, positions ...), false where Keras masks.
struct ExportMask {
  std::string name;
  Shape shape;  ///< one sample's
};

/// One call of a layer as exporters see it: Keras's config and channels last, whatever the layer's
/// data_format is.
struct LayerUse {
  const Layer& layer;
  nlohmann::ordered_json config;
  std::vector<Shape> inputs;  ///< one sample's
  Shape output;               ///< the first one, if there are several
  std::optional<bool> causal;
  std::vector<std::optional<ExportMask>> masks;  ///< of the inputs
  const LayerUse* within;  ///< the TimeDistributed that applies the layer, or null

  /// `inputs`, `output`: as the layer has them.
  LayerUse(const Layer& layer, std::vector<Shape> inputs, Shape output, std::optional<bool> causal,
           const LayerUse* within);

  bool has(const std::string& name) const { return find(name) != nullptr; }
  /// By the end of Keras 2's path: "kernel", "query/kernel".
  Tensor parameter(const std::string& path) const;
  /// The same, or all elements alike if the layer has none.
  Tensor parameter_or(const std::string& path, const Shape& shape, float value) const;

  Shape shape_of(const char* key) const { return config.at(key).get<Shape>(); }
  std::string text_of(const char* key) const { return config.at(key).get<std::string>(); }
  double number_of(const char* key) const { return config.at(key).get<double>(); }
  bool is_set(const char* key) const { return config.value(key, false); }
  /// An input's shape with axes of extent 1 in front, as many as the output has.
  Shape aligned(std::size_t input) const;
  /// A sample's axes by Keras's numbers, which count the batch; from 0.
  std::vector<std::size_t> axes_of(const char* key) const;

 private:
  const Parameter* find(const std::string& path) const;
};

Tensor tensor_of(const Parameter& parameter);

/// Padding in front of and behind the positions of one axis.
struct Margin {
  std::int64_t before = 0, behind = 0;
  bool operator==(const Margin&) const = default;
};
bool is_nothing(const std::vector<Margin>& margins);
/// What the layer's `padding` adds around the positions of its input.
std::vector<Margin> window_margins(const LayerUse& use, const Shape& size, const Shape& strides,
                                   const Shape& dilation);
/// What Keras's padding of this name adds around `positions`, which have as many axes as the size
/// or more behind them.
std::vector<Margin> window_margins(const std::string& padding, const Shape& positions,
                                   const Shape& size, const Shape& strides, const Shape& dilation);
/// A convolution's kernel with channels in front: (..., I, O) as (O, I, ...).
Tensor kernel_in_front(const Tensor& kernel);
/// So a depthwise one: (..., C, m) as (C m, 1, ...).
Tensor depthwise_in_front(const Tensor& kernel);
/// The pairs of a ZeroPadding's or a Cropping's key.
std::vector<Margin> margins_of(const LayerUse& use, const char* key);
/// Of a transposed convolution over the whole of x, what is left out in front on each axis, and
/// what is added behind it (`behind`).
std::vector<Margin> transposed_margins(const LayerUse& use);

/// The table that a SinePositionEncoding gives: (positions, features).
Tensor sine_positions(const LayerUse& use);

/// An axis as Keras counts, 1 being a sample's first one and -1 the last; from 0.
std::size_t sample_axis(std::int64_t axis, std::size_t axes);

}  // namespace lockstep
