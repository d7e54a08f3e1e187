#include <gmock/gmock.h>

#include "io/keras/keras_file.hpp"
#include "io/keras/keras_weights.hpp"
#include "src/model/layers_text.hpp"
#include "tests/io/io_test_support.hpp"

namespace lockstep {
namespace {

using test::TemporaryDirectory;
using testing::ElementsAre;
using testing::IsEmpty;

std::vector<float> weights_of(const Network& model, std::size_t layer) {
  std::vector<float> all;
  for (const Parameter& parameter : model.layers()[layer]->parameters())
    all.insert(all.end(), parameter.value.begin(), parameter.value.end());
  return all;
}

/// In either of Keras's layouts.
class MatchingWeights : public testing::TestWithParam<const char*> {
 protected:
  MatchingWeights()
      : saved_(model_from_layers_text(
            "Input((6, 5)), Dense(4), BatchNormalization(), Dense(3), LSTM(2)")),
        path_(directory_ / GetParam()) {
    saved_.initialize(1);
    save_model(path_, saved_, nullptr, "");
  }

  TemporaryDirectory directory_;
  Network saved_;
  std::filesystem::path path_;
};

TEST_P(MatchingWeights, AreThoseOfTheSameNamesAndShapes) {
  Network other = model_from_layers_text(
      "Input((6, 5)), Dense(4), BatchNormalization(), Dense(7), GRU(2), Dense(2)");
  other.initialize(2);
  const std::vector<float> second = weights_of(other, 3), last = weights_of(other, 5);
  const MatchedLayers matched = load_matching_weights(path_, {}, other);
  EXPECT_THAT(matched.read, ElementsAre("dense", "batch_normalization"));
  EXPECT_THAT(matched.drawn, ElementsAre("dense_1", "gru", "dense_2"));
  EXPECT_EQ(matched.left.size(), 2u);
  EXPECT_EQ(weights_of(other, 1), weights_of(saved_, 1));
  EXPECT_EQ(weights_of(other, 2), weights_of(saved_, 2));
  EXPECT_EQ(weights_of(other, 3), second);
  EXPECT_EQ(weights_of(other, 5), last);
}

TEST_P(MatchingWeights, AreAllOfTheSameNetwork) {
  Network same =
      model_from_layers_text("Input((6, 5)), Dense(4), BatchNormalization(), Dense(3), LSTM(2)");
  const MatchedLayers matched = load_matching_weights(path_, {}, same);
  EXPECT_EQ(matched.read.size(), 4u);
  EXPECT_THAT(matched.drawn, IsEmpty());
  EXPECT_THAT(matched.left, IsEmpty());
  EXPECT_EQ(same.weights_sha256(), saved_.weights_sha256());
}

INSTANTIATE_TEST_SUITE_P(Layouts, MatchingWeights, testing::Values("m.h5", "m.keras"),
                         [](const auto& info) {
                           return std::string(info.param) == "m.h5" ? "Keras2" : "Keras3";
                         });

}  // namespace
}  // namespace lockstep
