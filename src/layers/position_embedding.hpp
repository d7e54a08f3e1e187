#pragma once

#include <memory>
#include <string>
#include <vector>

#include "src/layers/embedding.hpp"
#include "src/layers/layer.hpp"

namespace lockstep {

/// KerasHub's: y = the first rows of `embeddings`, whatever the numbers in x.  x, y: (batch,
/// positions, features), embeddings: (sequence_length, features), positions <= sequence_length.
class PositionEmbedding final : public Layer {
 public:
  explicit PositionEmbedding(std::int64_t length,
                             std::shared_ptr<const Initializer> initializer =
                                 make_initializer(std::string("glorot_uniform")))
      : length_(length), initializer_(std::move(initializer)) {}

  std::string class_name() const override { return "PositionEmbedding"; }
  bool is_of_keras_hub() const override { return true; }
  OnMask on_mask() const override { return OnMask::kEnds; }
  nlohmann::ordered_json config() const override;

 private:
  void build(const Shape& input) override;
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;

  std::int64_t length_;
  std::shared_ptr<const Initializer> initializer_;
};

/// What SinePositionEncoding gives for (positions, features), at most 2^20 positions.
std::vector<float> sine_position_table(const Shape& shape, double wavelength);

/// KerasHub's: y of position p = sin(p w) for even features, cos(p w) for odd ones, w =
/// wavelength^(-2 floor(feature / 2) / features) (Vaswani et al., 2017), computed in double.
class SinePositionEncoding final : public Layer {
 public:
  explicit SinePositionEncoding(double wavelength = 10000) : wavelength_(wavelength) {}

  std::string class_name() const override { return "SinePositionEncoding"; }
  bool is_of_keras_hub() const override { return true; }
  OnMask on_mask() const override { return OnMask::kEnds; }
  nlohmann::ordered_json config() const override;

 private:
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;

  double wavelength_;
};

/// KerasHub's: the sum of an Embedding of tokens and a PositionEmbedding.  x: (batch, positions)
/// token ids, y: (batch, positions, features).
class TokenAndPositionEmbedding final : public Layer {
 public:
  TokenAndPositionEmbedding(std::int64_t tokens, std::int64_t length, std::int64_t features,
                            Embedding::Options options = {})
      : tokens_(tokens), length_(length), features_(features), options_(std::move(options)) {}

  std::string class_name() const override { return "TokenAndPositionEmbedding"; }
  bool is_of_keras_hub() const override { return true; }
  OnMask on_mask() const override { return OnMask::kLowers; }
  nlohmann::ordered_json config() const override;

 private:
  void build(const Shape& input) override;
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;

  std::int64_t tokens_, length_, features_;
  Embedding::Options options_;
};

}  // namespace lockstep
