#include "tests/reference/bits_networks.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "src/core/keras_config.hpp"
#include "src/layers/make_layer.hpp"
#include "src/model/layers_text.hpp"

namespace lockstep {

Network branches() {
  Network model = model_from_layers_text(
      "Dense(18, mish), Dense(18, tanh), BatchNormalization(), Add(), Subtract(), Multiply(), "
      "Average(), Maximum(), Minimum(), Concatenate(), Reshape((3, 12)), Permute((2, 1)), "
      "Dot((2, 1)), Flatten(), BatchNormalization(), Dense(5, softmax)");
  model.connect({{0, {}},         // 0
                 {1, {0}},        // 1
                 {2, {1}},        // 2
                 {3, {0, 2}},     // 3: a residual
                 {1, {3}},        // 4: the second use
                 {4, {4, 0}},     // 5: Subtract
                 {5, {4, 3}},     // 6: Multiply
                 {6, {5, 6, 3}},  // 7: Average
                 {7, {7, 5}},     // 8: Maximum
                 {8, {7, 6}},     // 9: Minimum
                 {9, {8, 9}},     // 10: Concatenate
                 {10, {10}},      // 11: Reshape
                 {11, {11}},      // 12: Permute
                 {12, {11, 12}},  // 13: Dot
                 {13, {13}},
                 {14, {14}},
                 {15, {15}}},
                {16});
  return model;
}

Network translator() {
  using Output = Network::Output;
  using Json = nlohmann::ordered_json;
  Network model("translator");
  const auto add = [&](const char* class_name, const Json& json) {
    KerasConfig config(json, settings_of(class_name));
    model.add_layer(make_layer(class_name, config));
  };
  add("LSTM", {{"units", 9}, {"return_state", true}});
  add("RepeatVector", {{"n", 4}});
  add("LSTM", {{"units", 9},
               {"return_sequences", true},
               {"return_state", true},
               {"recurrent_dropout", 0.2}});
  add("GRU", {{"units", 9}, {"return_state", true}});
  add("SimpleRNN", {{"units", 9}});
  add("Bidirectional", {{"layer", {{"class_name", "GRU"}, {"config", {{"units", 9}}}}}});
  add("Dense", {{"units", 5}, {"activation", "softmax"}});
  model.connect({{0, {}},
                 {1, {Output(0, 1)}},
                 {2, {1, Output(0, 1), Output(0, 2)}},
                 {3, {2, Output(2, 2)}},
                 {4, {2, Output(3, 1)}},
                 {5, {2, 4, Output(2, 1)}},
                 {6, {5}}},
                {6});
  return model;
}

Network activations() {
  std::string layers = "Dense(33), LayerNormalization(), Rescaling(3)";
  std::vector<Network::Call> calls = {{0, {}}, {1, {0}}, {2, {1}}};
  Network::Call join{0, {}};
  for (const char* name :
       {"exponential", "softsign", "mish", "hard_sigmoid", "hard_silu", "relu6", "hard_tanh",
        "log_sigmoid", "squareplus", "sparse_plus", "sparse_sigmoid", "tanh_shrink", "soft_shrink",
        "hard_shrink", "leaky_relu", "log_softmax"})
    layers += fmt::format(", Activation({})", name);
  layers += ", ReLU(2.5, 0.1, 0.2), ELU(0.7), Softmax()";
  for (std::size_t layer = 3; layer < 22; ++layer) {
    join.inputs.push_back(calls.size());
    calls.push_back({layer, {2}});
  }
  join.layer = calls.size();
  calls.push_back(join);
  calls.push_back({join.layer + 1, {join.layer}});
  Network model = model_from_layers_text(layers + ", Concatenate(), Dense(5, softmax)");
  model.connect(calls, {calls.size() - 1});
  return model;
}

Network attention() {
  Network model = model_from_layers_text(
      "Dense(70), Reshape((7, 10)), PositionEmbedding(9), Add(), SinePositionEncoding(), Add(), "
      "Dense(6, tanh), MultiHeadAttention(3, 5, value_dim=2, dropout=0.2), Permute((2, 1)), "
      "MultiHeadAttention(1, 17, use_bias=False), Flatten(), Dense(5, softmax)");
  model.connect({{0, {}},                      // 0
                 {1, {0}},                     // 1
                 {2, {1}},                     // 2
                 {3, {1, 2}},                  // 3: x + positions
                 {4, {3}},                     // 4
                 {5, {3, 4}},                  // 5
                 {6, {5}},                     // 6: fewer features
                 {7, {5, 6, 5}, false, true},  // 7: query, value and key; causal
                 {7, {7, 6, 3}},               // 8: the second use
                 {8, {8}},                     // 9: features as positions
                 {9, {8, 9}},                  // 10
                 {10, {10}},
                 {11, {11}}},
                {12});
  return model;
}

Network dense_attention() {
  Network model = model_from_layers_text(
      "Dense(102, tanh), Reshape((6, 17)), Attention(use_scale=True, dropout=0.1), "
      "Attention(score_mode=concat, use_scale=True), AdditiveAttention(dropout=0.2), "
      "GroupQueryAttention(5, 4, 2, dropout=0.1, use_gate=True), Flatten(), Dense(5, softmax)");
  model.connect({{0, {}},                      // 0
                 {1, {0}},                     // 1
                 {2, {1, 1}, false, true},     // 2: causal
                 {3, {2, 1}},                  // 3
                 {4, {3, 1, 2}},               // 4: query, value and key
                 {5, {4, 3, 1}, false, true},  // 5
                 {4, {5, 2}},                  // 6: the second use
                 {6, {6}},
                 {7, {7}}},
                {8});
  return model;
}

Network masked_attention() {
  Network model = model_from_layers_text(
      "Embedding(30, 12, mask_zero=True), GRU(12, return_sequences=True), "
      "Attention(use_scale=True, dropout=0.1), AdditiveAttention(), "
      "GroupQueryAttention(2, 6, 3, use_gate=True), TimeDistributed(Reshape((6, 2))), "
      "ConvLSTM1D(5, 3, padding=same, return_sequences=True, recurrent_dropout=0.1), "
      "TimeDistributed(Flatten()), LSTM(9), Dense(5, softmax)");
  model.connect({{0, {}},                   // 0
                 {1, {0}},                  // 1
                 {2, {1, 0}, false, true},  // 2: causal
                 {3, {2, 1}},               // 3
                 {4, {3, 1, 0}},            // 4: query, value and key
                 {5, {4}},                  // 5
                 {6, {5}},                  // 6
                 {7, {6}},
                 {8, {7}},
                 {9, {8}}},
                {9});
  return model;
}

Network residuals() {
  std::string layers;
  std::vector<Network::Call> calls;
  const auto apply = [&](const std::string& layer, std::vector<Network::Output> inputs) {
    layers += (calls.empty() ? "" : ", ") + layer;
    calls.push_back({calls.size(), std::move(inputs)});
    return calls.size() - 1;
  };
  const auto convolve = [&](int filters, int size, int stride,
                            std::vector<Network::Output> inputs) {
    const std::size_t x =
        apply(fmt::format("Conv2D({}, {}, strides={}, padding=same, use_bias=False)", filters, size,
                          stride),
              std::move(inputs));
    return apply("BatchNormalization()", {x});
  };
  std::size_t x = apply("ReLU()", {convolve(16, 3, 1, {})});
  for (const int filters : {16, 32}) {
    const int stride = filters / 16;
    const std::size_t shortcut = stride > 1 ? convolve(filters, 1, stride, {x}) : x;
    x = apply("ReLU()", {convolve(filters, 3, stride, {x})});
    x = apply("Add()", {convolve(filters, 3, 1, {x}), shortcut});
    x = apply("ReLU()", {x});
  }
  x = apply("GlobalAveragePooling2D()", {x});
  x = apply("Dense(10, softmax)", {x});
  Network model = model_from_layers_text(layers);
  model.connect(calls, {x});
  return model;
}

}  // namespace lockstep
