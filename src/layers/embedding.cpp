#include "src/layers/embedding.hpp"

#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/layers/embedding_op.hpp"
#include "src/layers/mask_op.hpp"

namespace lockstep {

Embedding::Embedding(std::int64_t tokens, std::int64_t features, Options options)
    : tokens_(tokens), features_(features), options_(std::move(options)) {
  check(tokens > 0 && tokens <= kMostTokens && features > 0, ExitCode::kBadData,
        "[embedding] expected an input_dim from 1 to {} and a positive output_dim, got {} and {}",
        kMostTokens, tokens, features);
}

void Embedding::build(const Shape&) {
  parameters_.push_back({.name = "embeddings",
                         .shape = {tokens_, features_},
                         .initializer = options_.initializer,
                         .regularizer = options_.regularizer,
                         .constraint = options_.constraint});
}

std::size_t Embedding::lower(Graph& graph, std::span<const std::size_t> inputs) {
  Shape shape = graph.shape(inputs[0]);
  const std::int64_t positions = element_count(shape);
  shape.push_back(features_);
  const std::size_t output =
      graph.add(make_embedding_op(&parameters_[0], positions, name()), {inputs[0]}, shape);
  if (options_.mask_zero) graph.set_mask(output, mask_of_ids(graph, inputs[0]));
  return output;
}

/// Keras 2 also writes input_length, which Keras 3 warns of.
nlohmann::ordered_json Embedding::config() const {
  return {{"input_dim", tokens_},
          {"output_dim", features_},
          {"embeddings_initializer", options_.initializer->to_json()},
          {"embeddings_regularizer", options_.regularizer.to_json()},
          {"activity_regularizer", nullptr},
          {"embeddings_constraint", options_.constraint.to_json()},
          {"mask_zero", options_.mask_zero}};
}

}  // namespace lockstep
