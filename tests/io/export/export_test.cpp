#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "io/export/onnx_export.hpp"
#include "io/export/safetensors.hpp"
#include "io/export/tensor.hpp"
#include "io/export/torch_export.hpp"
#include "src/layers/make_layer.hpp"
#include "src/layers/recurrent.hpp"
#include "src/model/layers_text.hpp"
#include "src/model/network_builder.hpp"
#include "tests/io/io_test_support.hpp"

// What PyTorch and ONNX Runtime make of these files: tests/system/export_test.py.
namespace lockstep {
namespace {

using test::expect_error;
using testing::HasSubstr;

Network network(const std::string& layers) {
  Network model = model_from_layers_text(layers);
  model.initialize(5);
  return model;
}

std::string text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(Tensor, IsPermuted) {
  const Tensor tensor{{2, 3, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}};
  const Tensor moved = tensor.permuted({2, 0, 1});
  EXPECT_EQ(moved.shape, (Shape{2, 2, 3}));
  EXPECT_EQ(moved.values, (std::vector<float>{0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11}));
  EXPECT_EQ(moved.permuted({1, 2, 0}).values, tensor.values);
  EXPECT_EQ(tensor.at(1).values, (std::vector<float>{6, 7, 8, 9, 10, 11}));
  EXPECT_EQ((Tensor{{4, 1}, {1, 2, 3, 4}}.with_blocks({1, 0}).values),
            (std::vector<float>{3, 4, 1, 2}));
}

TEST(Safetensors, AreAHeaderAndNumbers) {
  const std::string bytes =
      text_of(safetensors({{"a", {{2}, {1.5f, -2}}}, {"steps", {{}, {3}}, true}}));
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  ASSERT_EQ(length % 8, 0u);
  const auto header = nlohmann::json::parse(bytes.substr(8, length));
  EXPECT_EQ(header["a"]["dtype"], "F32");
  EXPECT_EQ(header["a"]["shape"], (std::vector<int>{2}));
  EXPECT_EQ(header["a"]["data_offsets"], (std::vector<int>{0, 8}));
  EXPECT_EQ(header["steps"]["dtype"], "I64");
  EXPECT_EQ(header["steps"]["shape"].size(), 0u);
  EXPECT_EQ(header["steps"]["data_offsets"], (std::vector<int>{8, 16}));
  ASSERT_EQ(bytes.size(), 8 + length + 16);
  float second = 0;
  std::memcpy(&second, bytes.data() + 8 + length + 4, 4);
  EXPECT_EQ(second, -2);
  EXPECT_EQ(bytes[8 + length + 8], 3);
}

TEST(TorchExport, NamesAreThoseOfPython) {
  const TorchExport torch =
      export_to_torch(network("Input((4,)), Dense(3, name=class), Dense(2, name='2/b')"), "m");
  EXPECT_THAT(torch.python, HasSubstr("self.class_layer = nn.Linear(4, 3, bias=True)"));
  EXPECT_THAT(torch.python, HasSubstr("self.layer_2_b = nn.Linear(3, 2, bias=True)"));
  EXPECT_THAT(text_of(torch.state_dict), HasSubstr("\"class_layer.weight\""));
}

TEST(TorchExport, RefusesAllThatPyTorchLacks) {
  expect_error(
      ExitCode::kBadData,
      {"[gru]", "reset_after", "[simple_rnn]", "sigmoid", "[lstm]", "recurrent_activation"}, [] {
        export_to_torch(network("Input((4, 3)), GRU(3, reset_after=False, return_sequences=True), "
                                "SimpleRNN(2, activation='sigmoid', return_sequences=True), "
                                "LSTM(2, recurrent_activation='tanh')"),
                        "m");
      });
}

TEST(OnnxExport, RefusesAllThatOnnxLacks) {
  expect_error(ExitCode::kBadData, {"[lstm]", "gelu", "[gru]", "selu"}, [] {
    export_to_onnx(
        network("Input((4, 3)), LSTM(3, activation='gelu', return_sequences=True), "
                "GRU(2, recurrent_activation='selu')"));
  });
}

/// With those that README.md names as lacking.
TEST(OnnxExport, KnowsEveryLayer) {
  const std::set<std::string> lacks = {"RNN",
                                       "TimeDistributed",
                                       "ConvLSTM1D",
                                       "ConvLSTM2D",
                                       "ConvLSTM3D",
                                       "Attention",
                                       "AdditiveAttention",
                                       "GroupQueryAttention",
                                       "GroupedQueryAttention",
                                       "SimpleRNNCell",
                                       "LSTMCell",
                                       "GRUCell",
                                       "StackedRNNCells"};
  for (const LayerSignature& known : layer_signatures())
    EXPECT_NE(onnx_knows(known.class_name), lacks.contains(known.class_name)) << known.class_name;
  expect_error(ExitCode::kBadData, {"[time_distributed]", "TimeDistributed"},
               [] { export_to_onnx(network("Input((4, 3)), TimeDistributed(Dense(2))")); });
}

TEST(Export, RefusesLayersThatComputeByAMask) {
  const char* layers = "Input((4, 3)), Masking(), LSTM(3)";
  expect_error(ExitCode::kBadData, {"[lstm]", "without a mask"},
               [&] { export_to_onnx(network(layers)); });
  expect_error(ExitCode::kBadData, {"[lstm]", "without a mask"},
               [&] { export_to_torch(network(layers), "w"); });
  export_to_onnx(network("Input((4, 3)), Masking(), Dense(2), Flatten()"));
}

TEST(Export, RefusesStates) {
  NetworkBuilder builder("translator");
  const auto x = builder.input({4, 3});
  const auto encoder =
      builder.apply(builder.add(std::make_unique<Recurrent>(
                        CellKind::kLstm, 2, RecurrentOptions{.return_state = true})),
                    x);
  const Network model =
      builder.build({builder.apply(builder.add(std::make_unique<Recurrent>(CellKind::kLstm, 2)),
                                   {x, {encoder.call, 1}, {encoder.call, 2}})});
  for (const char* layer : {"[lstm]", "[lstm_1]"}) {
    const char* what =
        layer == std::string("[lstm]") ? "of one output" : "without an initial state";
    expect_error(ExitCode::kBadData, {layer, what}, [&] { export_to_onnx(model); });
    expect_error(ExitCode::kBadData, {layer, what}, [&] { export_to_torch(model, "w"); });
  }
}

TEST(OnnxExport, TheSameModelGivesTheSameBytes) {
  const char* layers = "Input((6, 6, 1)), Conv2D(2, 3), Conv2D(2, 3), Flatten(), Dense(2, softmax)";
  const std::vector<std::byte> bytes = export_to_onnx(network(layers));
  EXPECT_EQ(bytes, export_to_onnx(network(layers)));
  // Between two convolutions nothing is transposed.
  const std::string text = text_of(bytes), op_type = "\x22\x09Transpose";
  std::size_t count = 0;
  for (std::size_t at = text.find(op_type); at != std::string::npos;
       at = text.find(op_type, at + 1))
    ++count;
  EXPECT_EQ(count, 2u);
}

}  // namespace
}  // namespace lockstep
