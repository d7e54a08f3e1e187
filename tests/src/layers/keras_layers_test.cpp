// What real Keras computes in single layers: tests/reference/layers, by tests/reference/keras_*.py.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "src/model/model_layer.hpp"
#include "src/optimizers/optimizer.hpp"
#include "tests/support/layer_run.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;
using Floats = std::vector<float>;

/// The files, by the layers' classes: what is in them is read by the test alone.
std::vector<std::string> all_classes() {
  std::vector<std::string> classes;
  for (const auto& entry :
       std::filesystem::directory_iterator(LOCKSTEP_SOURCE_DIR "/tests/reference/layers"))
    classes.push_back(entry.path().stem());
  std::ranges::sort(classes);
  return classes;
}

void expect_near(const Floats& got, const ordered_json& json, const std::string& what) {
  const auto expected = json.get<std::vector<double>>();
  ASSERT_EQ(got.size(), expected.size()) << what;
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_NEAR(static_cast<double>(got[i]), expected[i],
                1e-5 * std::max(1.0, std::abs(expected[i])))
        << what << " element " << i;
}

/// One case: a layer, and a run of it with the case's inputs and weights.
class KerasCase {
 public:
  explicit KerasCase(const ordered_json& json) : json_(json) {}
  void expect_its_numbers();
  void expect_it_learns();

 private:
  void start(std::int64_t block_grains) {
    KerasConfig config(
        json_.at("config"), [](const std::string& key) { return key; }, ExitCode::kBadData);
    config.set_keras(json_.at("keras") == 2 ? KerasMajor::k2 : KerasMajor::k3);
    layer_ = make_layer_of_network(json_.at("class_name").get<std::string>(), config);
    auto shapes = json_.at("input_shapes").get<std::vector<Shape>>();
    const std::int64_t rows = shapes.front().front();
    for (Shape& shape : shapes) shape.erase(shape.begin());
    const bool training = json_.at("training").get<bool>();
    std::optional<bool> causal;
    if (json_.contains("use_causal_mask")) causal = json_.at("use_causal_mask").get<bool>();
    run_.emplace(*layer_, shapes, rows, Pass{.training = training, .writes_state = training},
                 block_grains, /*inference=*/false, causal, masks());
    for (std::size_t i = 0; i < shapes.size(); ++i)
      run_->x(i) = json_.at("inputs")[i].get<Floats>();
    ASSERT_EQ(layer_->parameters().size(), json_.at("weights").size());
    for (std::size_t i = 0; i < layer_->parameters().size(); ++i) {
      const auto values = json_.at("weights")[i].get<Floats>();
      ASSERT_EQ(layer_->parameters()[i].value.size(), values.size());
      std::ranges::copy(values, layer_->parameters()[i].value.begin());
    }
  }
  test::LayerRun::Masks masks() const {
    test::LayerRun::Masks all;
    if (json_.contains("masks"))
      for (const ordered_json& mask : json_.at("masks"))
        all.push_back(mask.is_null() ? Floats() : mask.get<Floats>());
    return all;
  }
  void expect_output_mask() {
    if (!json_.contains("output_mask") || !json_.at("training").get<bool>()) return;
    const ordered_json& mask = json_.at("output_mask");
    EXPECT_EQ(run_->output_mask(), mask.is_null() ? Floats() : mask.get<Floats>());
  }
  void expect_gradients() {
    run_->backward(json_.at("dy").get<Floats>());
    for (std::size_t i = 0; i < json_.at("dx").size(); ++i)
      if (!json_.at("dx")[i].is_null())
        expect_near(run_->dx(i), json_.at("dx")[i], "dx " + std::to_string(i));
    std::size_t trained = 0;
    for (std::size_t i = 0; i < layer_->parameters().size(); ++i) {
      if (!layer_->parameters()[i].trained()) continue;
      ASSERT_LT(trained, json_.at("gradients").size());
      expect_near(run_->gradient(i), json_.at("gradients")[trained++],
                  layer_->parameters()[i].path());
    }
    EXPECT_EQ(trained, json_.at("gradients").size());
  }
  void expect_weights(const ordered_json& expected, const std::string& when,
                      const std::vector<std::size_t>& but = {}) {
    ASSERT_EQ(layer_->parameters().size(), expected.size());
    for (std::size_t i = 0; i < layer_->parameters().size(); ++i) {
      if (std::ranges::count(but, i) > 0) continue;
      const auto& value = layer_->parameters()[i].value;
      expect_near({value.begin(), value.end()}, expected[i], layer_->parameters()[i].path() + when);
    }
  }
  /// On sum(dy * y).
  void take_step(Optimizer& optimizer, std::vector<std::vector<Floats>>& slots) {
    run_->backward(json_.at("dy").get<Floats>());
    optimizer.begin_step();
    for (std::size_t i = 0; i < slots.size(); ++i) {
      Parameter& parameter = layer_->parameters()[i];
      if (!parameter.trained()) continue;
      const Floats gradient = run_->gradient(i);
      UpdateSpan update{.values = parameter.value, .gradients = gradient, .slots = {}};
      for (std::size_t slot = 0; slot < slots[i].size(); ++slot)
        update.slots[slot] = slots[i][slot];
      optimizer.update(update);
    }
  }

  const ordered_json& json_;
  std::unique_ptr<Layer> layer_;
  std::optional<test::LayerRun> run_;
};

void KerasCase::expect_its_numbers() {
  for (const std::int64_t block_grains : {0, 1}) {
    SCOPED_TRACE("block_grains " + std::to_string(block_grains));
    ASSERT_NO_FATAL_FAILURE(start(block_grains));
    if (json_.at("training").get<bool>()) {
      expect_gradients();
      expect_weights(
          json_.contains("weights_after") ? json_.at("weights_after") : json_.at("weights"),
          " afterwards");
    }
    expect_near(run_->forward(), json_.at("outputs"), "output");
    expect_output_mask();
  }
}

void KerasCase::expect_it_learns() {
  ASSERT_NO_FATAL_FAILURE(start(0));
  const bool learns = json_.at("training").get<bool>() &&
                      std::ranges::any_of(layer_->parameters(), &Parameter::trained);
  ASSERT_EQ(json_.contains("after_three_steps"), learns);
  if (!learns) return;
  const auto adam = make_optimizer({{"class_name", "Adam"}, {"config", {{"learning_rate", 0.01}}}});
  std::vector<std::vector<Floats>> slots;
  for (const Parameter& parameter : layer_->parameters())
    slots.emplace_back(adam->slot_names().size(), Floats(parameter.value.size()));
  for (int step = 0; step < 3; ++step) take_step(*adam, slots);
  expect_weights(json_.at("after_three_steps"), " after three steps",
                 json_.value("zero_gradients", std::vector<std::size_t>()));
}

class KerasLayers : public ::testing::TestWithParam<std::string> {
 protected:
  void for_each_case(void (KerasCase::*expect)()) const {
    std::ifstream text(LOCKSTEP_SOURCE_DIR "/tests/reference/layers/" + GetParam() + ".json");
    const auto cases = ordered_json::parse(text);
    ASSERT_FALSE(cases.empty());
    for (const ordered_json& json : cases) {
      SCOPED_TRACE(json.at("class_name").get<std::string>() + " " +
                   json.at("name").get<std::string>());
      (KerasCase(json).*expect)();
    }
  }
};

TEST_P(KerasLayers, GiveItsNumbers) {
  for_each_case(&KerasCase::expect_its_numbers);
}

TEST_P(KerasLayers, LearnAsTheyDo) {
  for_each_case(&KerasCase::expect_it_learns);
}

INSTANTIATE_TEST_SUITE_P(Reference, KerasLayers, ::testing::ValuesIn(all_classes()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace lockstep
