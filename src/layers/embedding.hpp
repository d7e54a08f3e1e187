#pragma once

#include <memory>
#include <string>

#include "src/layers/layer.hpp"

namespace lockstep {

/// A vector of each token: y = the rows of `embeddings` that x names.  x: (batch, ...) token ids,
/// embeddings: (input_dim, output_dim), y: (batch, ..., output_dim). Ids that are none are an Error
/// (65): before training if they stand in the data, else in the pass.
class Embedding final : public Layer {
 public:
  struct Options {
    std::shared_ptr<const Initializer> initializer = make_initializer(std::string("uniform"));
    Regularizer regularizer = {};
    Constraint constraint = {};
    bool mask_zero = false;  ///< the output has a mask: token 0 stands where nothing does
  };
  /// More ids a float cannot tell apart.
  static constexpr std::int64_t kMostTokens = 1 << 24;

  Embedding(std::int64_t tokens, std::int64_t features) : Embedding(tokens, features, Options{}) {}
  Embedding(std::int64_t tokens, std::int64_t features, Options options);

  std::string class_name() const override { return "Embedding"; }
  OnMask on_mask() const override { return OnMask::kLowers; }
  nlohmann::ordered_json config() const override;

 private:
  void build(const Shape& input) override;
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;

  std::int64_t tokens_, features_;
  Options options_;
};

}  // namespace lockstep
