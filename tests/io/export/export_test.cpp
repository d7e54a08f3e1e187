#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "io/export/onnx_export.hpp"
#include "io/export/safetensors.hpp"
#include "io/export/tensor.hpp"
#include "io/export/torch_export.hpp"
#include "src/layers/make_layer.hpp"
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

std::size_t count_of(const std::string& what, const std::string& text) {
  std::size_t count = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1))
    ++count;
  return count;
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

TEST(TorchExport, ALayerWithinAnotherIsNamedByBoth) {
  const TorchExport torch = export_to_torch(
      network("Input((4, 3)), TimeDistributed(Dense(2, name='1'), name=each), Flatten(), Dense(2)"),
      "m");
  EXPECT_THAT(torch.python, HasSubstr("self.each__1 = nn.Linear(3, 2, bias=True)"));
  EXPECT_THAT(text_of(torch.state_dict), HasSubstr("\"each__1.weight\""));
}

/// Whether or not they compute: so a layer's weights are called the same behind a mask.
TEST(TorchExport, WeightsOfRecurrentLayersAreThoseOfPyTorchsModules) {
  for (const char* front : {"", "Masking(), "})
    for (const char* layer : {"LSTM(2)", "LSTM(2, activation='gelu')"}) {
      const TorchExport torch =
          export_to_torch(network(fmt::format("Input((4, 3)), {}{}", front, layer)), "m");
      EXPECT_THAT(torch.python,
                  HasSubstr("self.lstm = nn.LSTM(3, 2, batch_first=True, bias=True)"));
      const bool own = *front == 0 && layer == std::string("LSTM(2)");
      EXPECT_EQ(count_of("= self.lstm(x", torch.python), own ? 1u : 0u) << front << layer;
      EXPECT_EQ(count_of("def over_steps(", torch.python), own ? 0u : 1u) << front << layer;
    }
}

TEST(TorchExport, HasNoLineThatNothingReads) {
  const TorchExport torch = export_to_torch(network("Input((4, 3)), Masking(), Flatten()"), "m");
  EXPECT_THAT(torch.python, Not(HasSubstr("!= 0\n")));
}

std::size_t onnx_nodes(const std::string& op, const std::string& layers) {
  const std::string op_type = std::string{'\x22', static_cast<char>(op.size())} + op;
  return count_of(op_type, text_of(export_to_onnx(network(layers))));
}

TEST(OnnxExport, RecurrentLayersAreNodesOfTheirOwnWhereOnnxHasThem) {
  EXPECT_EQ(onnx_nodes("LSTM", "Input((4, 3)), LSTM(2)"), 1u);
  EXPECT_EQ(onnx_nodes("Scan", "Input((4, 3)), LSTM(2)"), 0u);
  EXPECT_EQ(onnx_nodes("GRU", "Input((4, 3)), RNN([GRUCell(2), GRUCell(3)])"), 2u);
  for (const char* layers : {"Masking(), LSTM(2)", "LSTM(2, activation='gelu')",
                             "RNN([LSTMCell(2, activation='gelu'), GRUCell(3)])"})
    EXPECT_EQ(onnx_nodes("Scan", fmt::format("Input((4, 3)), {}", layers)), 1u) << layers;
}

TEST(Export, KnowsEveryLayer) {
  const std::set<std::string> of_others = {"SimpleRNNCell", "LSTMCell", "GRUCell",
                                           "StackedRNNCells", "TimeDistributed"};
  for (const LayerSignature& known : layer_signatures()) {
    const bool is_layer = !of_others.contains(known.class_name);
    EXPECT_EQ(onnx_knows(known.class_name), is_layer) << known.class_name;
    EXPECT_EQ(torch_knows(known.class_name), is_layer) << known.class_name;
  }
}

/// A layer reads x after an attention of this class has.
Network with_two_readers(const std::string& attention) {
  NetworkBuilder builder("masks");
  const auto x =
      builder.apply(builder.add("x", "Embedding(9, 2, mask_zero=True)"), builder.input({4}));
  const auto y = builder.apply(builder.add("y", attention), {x, x});
  return builder.build({builder.apply(builder.add("all", "Concatenate()"),
                                      {builder.apply(builder.add("of_y", "LSTM(2)"), y),
                                       builder.apply(builder.add("of_x", "LSTM(2)"), x)})});
}

/// As MultiHeadAttention of Keras 3 does.
TEST(Export, AnAttentionTakesTheMasksOfItsInputs) {
  const char* all = "GroupQueryAttention(2, 2, 1)";
  EXPECT_EQ(count_of("over_steps(", export_to_torch(with_two_readers(all), "m").python), 3u);
  const char* takes = "MultiHeadAttention(2, 2)";
  EXPECT_EQ(count_of("over_steps(", export_to_torch(with_two_readers(takes), "m").python), 2u);
}

TEST(OnnxExport, TheSameModelGivesTheSameBytes) {
  const char* layers = "Input((6, 6, 1)), Conv2D(2, 3), Conv2D(2, 3), Flatten(), Dense(2, softmax)";
  const std::vector<std::byte> bytes = export_to_onnx(network(layers));
  EXPECT_EQ(bytes, export_to_onnx(network(layers)));
  // Between two convolutions nothing is transposed.
  EXPECT_EQ(onnx_nodes("Transpose", layers), 2u);
}

}  // namespace
}  // namespace lockstep
