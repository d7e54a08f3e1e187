#include "src/model/summary.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <memory>

#include "src/layers/dense.hpp"
#include "src/layers/dropout.hpp"
#include "src/layers/reshaping.hpp"
#include "src/model/layers_text.hpp"
#include "src/model/model_json.hpp"
#include "src/model/sequential.hpp"
#include "tests/src/model/expect_error.hpp"

namespace lockstep {
namespace {

TEST(Summary, OfTheReferenceNetworkIsKerasTable) {
  const Network model = model_from_layers_text(
      "Dense(64, activation='relu', input_shape=(784,)), Dense(32, relu), Dense(10, softmax)");

  EXPECT_EQ(summary(model),
            "Model: \"sequential\"\n"
            "_________________________________________________________________\n"
            " Layer (type)                Output Shape              Param #   \n"
            "=================================================================\n"
            " dense (Dense)               (None, 64)                50240     \n"
            "                                                                 \n"
            " dense_1 (Dense)             (None, 32)                2080      \n"
            "                                                                 \n"
            " dense_2 (Dense)             (None, 10)                330       \n"
            "                                                                 \n"
            "=================================================================\n"
            "Total params: 52650 (205.66 KB)\n"
            "Trainable params: 52650 (205.66 KB)\n"
            "Non-trainable params: 0 (0.00 Byte)\n"
            "_________________________________________________________________\n");
}

TEST(Summary, HoldsNoTerminalEscapesAndKeepsLettersWhole) {
  Sequential model("a\x1b[2Jb");
  auto dense = std::make_unique<Dense>(3);
  dense->set_name(
      "couche_numéro_un_très_longue\x9b"
      "1m");
  model.add(std::move(dense));
  model.build({2});

  const std::string text = summary(model);
  EXPECT_THAT(text, testing::HasSubstr("Model: \"a\\x1b[2Jb\"\n"));
  EXPECT_THAT(text,
              testing::HasSubstr(" couche_numéro_un_très_long  (None, 3)                 9    "
                                 "     \n ue\\x9b1m (Dense)                "));
}

TEST(Summary, WrapsLongFieldsCountsFrozenLayersAndHidesTheInputLayer) {
  Sequential model("wide");
  model.add(std::make_unique<InputLayer>(Shape{28, 28}));
  model.add(std::make_unique<Flatten>());
  auto dense = std::make_unique<Dense>(3);
  dense->set_name("a_layer_with_a_rather_long_name");
  dense->set_trainable(false);
  model.add(std::move(dense));
  model.add(std::make_unique<Dropout>(0.5));
  model.add(std::make_unique<Dense>(1));
  model.build({28, 28});

  EXPECT_EQ(summary(model),
            "Model: \"wide\"\n"
            "_________________________________________________________________\n"
            " Layer (type)                Output Shape              Param #   \n"
            "=================================================================\n"
            " flatten (Flatten)           (None, 784)               0         \n"
            "                                                                 \n"
            " a_layer_with_a_rather_long  (None, 3)                 2355      \n"
            " _name (Dense)                                                   \n"
            "                                                                 \n"
            " dropout (Dropout)           (None, 3)                 0         \n"
            "                                                                 \n"
            " dense (Dense)               (None, 1)                 4         \n"
            "                                                                 \n"
            "=================================================================\n"
            "Total params: 2359 (9.21 KB)\n"
            "Trainable params: 4 (16.00 Byte)\n"
            "Non-trainable params: 2355 (9.20 KB)\n"
            "_________________________________________________________________\n");
}

std::string file_text(const char* name) {
  std::ifstream file(std::string(LOCKSTEP_SOURCE_DIR "/tests/reference/keras_graphs/") + name);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Summary, OfAGraphIsKerasTableWithWhatLayersAreConnectedTo) {
  NetworkRemarks remarks;
  const Network model = model_from_json_text(file_text("summary.json"), "", remarks);

  EXPECT_EQ(summary(model), file_text("summary.txt"));
}

TEST(Summary, NeedsABuiltModel) {
  const Network model = model_from_layers_text("Dense(3)");

  expect_error(
      ExitCode::kUsage, [&] { summary(model); },
      testing::HasSubstr("expected build() before summary()"));
}

}  // namespace
}  // namespace lockstep
