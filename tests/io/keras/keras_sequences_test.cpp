#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "io/keras/keras_file.hpp"
#include "src/graph/workspace.hpp"
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
