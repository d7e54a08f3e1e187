#include "io/export/torch_code.hpp"

namespace lockstep {
namespace {

std::string embedding(TorchCode& code, const LayerUse& use, const TorchInputs& x) {
  const Tensor table = use.parameter("embeddings");
  return fmt::format(
      "{}({}.long())",
      code.module(code.name_of(use),
                  fmt::format("nn.Embedding({}, {})", table.shape[0], table.shape[1]),
                  {{"weight", table}}),
      x[0]);
}

std::string sine_encoding(TorchCode& code, const LayerUse& use, const TorchInputs& x) {
  return fmt::format("{}.expand({}.shape[0], -1, -1)",
                     code.value(code.name_of(use), sine_positions(use), false), x[0]);
}

std::string position_embedding(TorchCode& code, const LayerUse& use, const TorchInputs& x) {
  return fmt::format(
      "{}[:{}].expand({}.shape[0], -1, -1)",
      code.value(code.name_of(use), use.parameter("embeddings"), use.layer.trainable()),
      use.inputs[0][0], x[0]);
}

std::string token_and_position(TorchCode& code, const LayerUse& use, const TorchInputs& x) {
  const std::string name = code.name_of(use);
  const Tensor tokens = use.parameter("token_embedding/embeddings");
  const std::string words = code.module(
      name + "__tokens", fmt::format("nn.Embedding({}, {})", tokens.shape[0], tokens.shape[1]),
      {{"weight", tokens}});
  const std::string positions = code.value(
      name + "__positions", use.parameter("position_embedding/embeddings"), use.layer.trainable());
  return fmt::format("{}({}.long()) + {}[:{}]", words, x[0], positions, use.inputs[0][0]);
}

}  // namespace

TorchEmits torch_embeddings() {
  return {{"Embedding", embedding},
          {"SinePositionEncoding", sine_encoding},
          {"PositionEmbedding", position_embedding},
          {"TokenAndPositionEmbedding", token_and_position}};
}

}  // namespace lockstep
