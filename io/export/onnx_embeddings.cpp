#include "io/export/onnx_graph.hpp"

namespace lockstep {
namespace {

std::string looked_up(OnnxGraph& graph, Tensor table, const std::string& x) {
  constexpr std::int64_t kInt64 = 7;  // TensorProto::INT64
  const std::string ids = graph.add("Cast", {x}, {{"to", kInt64}});
  return graph.add("Gather", {graph.constant(std::move(table)), ids});
}

std::string embedding(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  return looked_up(graph, use.parameter("embeddings"), x[0]);
}

/// The first positions of a table.
Tensor first_rows(const Tensor& table, std::int64_t rows) {
  Tensor first{table.shape, {}};
  first.shape[0] = rows;
  first.values.assign(table.values.begin(), table.values.begin() + element_count(first.shape));
  return first;
}

std::string position_embedding(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  return graph.for_each_row(first_rows(use.parameter("embeddings"), use.inputs[0][0]), x[0]);
}

std::string sine_encoding(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  return graph.for_each_row(sine_positions(use), x[0]);
}

std::string token_and_position(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  const Tensor positions =
      first_rows(use.parameter("position_embedding/embeddings"), use.inputs[0][0]);
  return graph.add("Add", {looked_up(graph, use.parameter("token_embedding/embeddings"), x[0]),
                           graph.constant(positions)});
}

}  // namespace

OnnxEmits onnx_embeddings() {
  return {{"Embedding", embedding},
          {"PositionEmbedding", position_embedding},
          {"SinePositionEncoding", sine_encoding},
          {"TokenAndPositionEmbedding", token_and_position}};
}

}  // namespace lockstep
