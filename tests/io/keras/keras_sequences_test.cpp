#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "io/keras/keras_file.hpp"
#include "src/graph/workspace.hpp"
#include "src/model/layers_text.hpp"
#include "src/model/model_json.hpp"
#include "tests/io/io_test_support.hpp"

/// The files that tests/reference/keras_sequence_files.py wrote with Keras 2 and 3 and KerasHub.
namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;
using Floats = std::vector<float>;
const std::filesystem::path kFiles = LOCKSTEP_KERAS_SEQUENCES;

Json expected() {
  std::ifstream file(kFiles / "expected.json");
  return Json::parse(file);
}

Floats predictions(const Network& model, const Floats& x) {
  const auto rows = static_cast<std::int64_t>(x.size()) / element_count(model.input_shape());
  Workspace workspace = model.inference_workspace(rows);
  std::ranges::copy(x, workspace.input({0, rows}).data);
  const auto outputs = model.forward(workspace, {0, rows}, {}).flat();
  return {outputs.begin(), outputs.end()};
}

TEST(KerasSequences, PredictWhatKerasPredicts) {
  const Json all = expected();
  for (const auto& [file, values] : all.at("files").items()) {
    SCOPED_TRACE(file);
    const LoadedModel loaded = load_model(kFiles / file);
    const auto got = predictions(loaded.model, all.at("x").get<Floats>());
    ASSERT_EQ(got.size(), values.size());
    for (std::size_t i = 0; i < got.size(); ++i)
      EXPECT_NEAR(got[i], values[i].get<double>(), 1e-5) << i;
    EXPECT_TRUE(loaded.slots.has_value());
    EXPECT_GT(loaded.iterations, 0);
  }
}

/// A model that is saved and read again.
Network again(const Network& model) {
  const test::TemporaryDirectory directory;
  save_model(directory.path() / "model.h5", model, nullptr, "");
  return std::move(load_model(directory.path() / "model.h5").model);
}

TEST(KerasSequences, KeepADirectionThatAloneIsTrained) {
  Json lstm = {{"name", "lstm"}, {"units", 3}, {"trainable", false}};
  Json back = {{"name", "back"}, {"units", 3}, {"go_backwards", true}};
  const Json config = {{"name", "both"},
                       {"layer", {{"class_name", "LSTM"}, {"config", lstm}}},
                       {"backward_layer", {{"class_name", "LSTM"}, {"config", back}}}};
  const Json json = {
      {"class_name", "Sequential"},
      {"config",
       {{"name", "model"},
        {"layers",
         {{{"class_name", "InputLayer"}, {"config", {{"batch_input_shape", {nullptr, 4, 2}}}}},
          {{"class_name", "Bidirectional"}, {"config", config}},
          {{"class_name", "Dense"}, {"config", {{"units", 2}}}}}}}}};
  Network model = model_from_json(json);
  model.initialize(3);
  EXPECT_EQ(again(model).weights_sha256(), model.weights_sha256());
}

TEST(KerasSequences, KeepATransformersHardSigmoid) {
  Network model =
      model_from_layers_text("Input((4, 6)), TransformerEncoder(5, 2, activation=hard_sigmoid)");
  model.initialize(3);
  Floats x(24);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = 0.25f * static_cast<float>(i % 7) - 0.5f;
  EXPECT_EQ(predictions(again(model), x), predictions(model, x));
}

TEST(KerasSequences, AreReadAgainAsTheyWereWritten) {
  const Json all = expected();
  for (const auto& [file, values] : all.at("files").items()) {
    SCOPED_TRACE(file);
    const test::TemporaryDirectory directory;
    const LoadedModel loaded = load_model(kFiles / file);
    save_model(directory.path() / "again.h5", loaded.model, &*loaded.slots, "");
    const LoadedModel again = load_model(directory.path() / "again.h5");
    EXPECT_EQ(model_to_json(again.model), model_to_json(loaded.model));
    EXPECT_EQ(again.model.weights_sha256(), loaded.model.weights_sha256());
    EXPECT_EQ(again.slots, loaded.slots);
    const auto x = all.at("x").get<Floats>();
    EXPECT_EQ(predictions(again.model, x), predictions(loaded.model, x));
  }
}

}  // namespace
}  // namespace lockstep
