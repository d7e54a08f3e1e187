#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "src/model/layers_text.hpp"
#include "src/model/model_json.hpp"
#include "tests/src/model/expect_error.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;
using testing::HasSubstr;

Network classifier() {
  return model_from_layers_text("Input(784), Dense(64, relu), Dense(10, softmax)");
}

Network compiled(const std::string& training_config) {
  Network model = classifier();
  compile_from_json(model, ordered_json::parse(training_config));
  return model;
}

void expect_refused(const std::string& training_config, const std::string& message) {
  expect_error(
      ExitCode::kBadData, [&] { compiled(training_config); }, HasSubstr(message));
}

// As Keras 2 writes it.
constexpr const char* kKeras2 = R"json(
{"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"], "weighted_metrics": null, "loss_weights": null,
 "optimizer_config": {"class_name": "Adam",
   "config": {"name": "Adam", "learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-07, "amsgrad": false}}})json";

// As Keras 3 writes it.
constexpr const char* kKeras3 = R"json(
{"optimizer": {"module": "keras.optimizers", "class_name": "Adam",
   "config": {"name": "adam", "learning_rate": 0.0010000000474974513, "weight_decay": null, "clipnorm": null, "global_clipnorm": null,
     "clipvalue": null, "use_ema": false, "ema_momentum": 0.99, "ema_overwrite_frequency": null, "loss_scale_factor": null,
     "gradient_accumulation_steps": null, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-07, "amsgrad": false},
   "registered_name": null},
 "loss": {"module": "builtins", "class_name": "function", "config": "sparse_categorical_crossentropy", "registered_name": "sparse_categorical_crossentropy"},
 "loss_weights": null, "metrics": ["accuracy"], "weighted_metrics": null,
 "run_eagerly": false, "steps_per_execution": 1, "jit_compile": false, "auto_scale_loss": true})json";

TEST(TrainingConfig, Keras2FormRoundTripsWithTheMetricSpelledOut) {
  const Network model = compiled(kKeras2);

  // What "accuracy" means is written out: tf_keras 2.21 takes the bare name for another metric.
  ordered_json expected = ordered_json::parse(kKeras2);
  expected["metrics"] = {{{"class_name", "SparseCategoricalAccuracy"},
                          {"config", {{"name", "accuracy"}, {"dtype", "float32"}}}}};
  EXPECT_EQ(training_config_to_json(model), expected);
}

TEST(TrainingConfig, ReadsKeras3CompileConfig) {
  const Network model = compiled(kKeras3);

  EXPECT_EQ(model.loss().name(), "sparse_categorical_crossentropy");
  EXPECT_EQ(model.optimizer().class_name(), "Adam");
  EXPECT_EQ(static_cast<float>(model.optimizer().learning_rate()), 0.001f);
  ASSERT_EQ(model.metrics().size(), 1u);
  EXPECT_EQ(model.metrics()[0]->name(), "accuracy");
}

TEST(TrainingConfig, ReadsWhatKeras2ItselfWrites) {
  const Network model = compiled(R"json(
    {"loss": ["sparse_categorical_crossentropy"],
     "metrics": [[{"class_name": "MeanMetricWrapper",
                   "config": {"name": "accuracy", "dtype": "float32", "fn": "sparse_categorical_accuracy"}},
                  {"module": "keras.metrics", "class_name": "MeanMetricWrapper",
                   "config": {"name": "again", "dtype": "float32",
                     "fn": {"module": "builtins", "class_name": "function", "config": "sparse_categorical_accuracy", "registered_name": "function"}}}]],
     "weighted_metrics": [], "loss_weights": null, "sample_weight_mode": null,
     "optimizer_config": {"class_name": "Custom>Adam",
       "config": {"name": "Adam", "weight_decay": null, "clipnorm": null, "global_clipnorm": null, "clipvalue": null,
         "use_ema": false, "ema_momentum": 0.99, "ema_overwrite_frequency": null, "jit_compile": false,
         "is_legacy_optimizer": false, "learning_rate": 0.0020000000949949026,
         "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-07, "amsgrad": false}}})json");

  ASSERT_EQ(model.metrics().size(), 2u);
  EXPECT_EQ(model.metrics()[0]->name(), "accuracy");
  EXPECT_EQ(model.metrics()[1]->name(), "again");
  EXPECT_EQ(static_cast<float>(model.optimizer().learning_rate()), 0.002f);
}

TEST(TrainingConfig, MetricsMayBeMissing) {
  EXPECT_TRUE(compiled(R"({"loss": "mse", "optimizer": "sgd"})").metrics().empty());
  EXPECT_TRUE(
      compiled(R"({"loss": "mse", "optimizer": "sgd", "metrics": [null]})").metrics().empty());
}

TEST(TrainingConfig, RefusesWhatLockstepLacksByName) {
  expect_refused("[]", "training config: expected an object, got []");
  expect_refused(R"({"loss": "mse"})", "training config: optimizer_config: expected an optimizer");
  expect_refused(R"({"optimizer": "adam"})", "training config: loss: expected a loss, got nothing");
  expect_refused(R"({"loss": "mse", "optimizer": "muon"})", "muon");
  expect_refused(R"({"loss": "ctc", "optimizer": "adam"})", "got 'ctc'");
  expect_refused(R"({"loss": "mse", "optimizer": "adam", "metrics": ["mean_io_u"]})", "mean_io_u");
  expect_refused(R"({"loss": {"a": "mse", "b": "mse"}, "optimizer": "adam"})", "training config: ");
  expect_refused(R"({"loss": "mse", "optimizer": "adam", "metrics": {"a": ["mae"]}})",
                 "training config: metrics: expected a list of metrics, got an object");
  expect_refused(R"({"loss": "mse", "optimizer": "adam", "metrics": [["mae"], ["mse"]]})",
                 "training config: metrics: expected one output's metrics, got a list of 2");
  expect_refused(R"({"loss": "mse", "optimizer": "adam", "loss_weights": [2.0]})",
                 "training config: loss_weights: expected null, got [2.0]");
  expect_refused(R"({"loss": "mse", "optimizer": "adam", "weighted_metrics": ["mae"]})",
                 "training config: weighted_metrics: expected null, got ['mae']");
  expect_refused(R"({"loss": "mse", "optimizer": "adam", "class_weight": {"0": 2}})",
                 "training config: class_weight: expected no such key, got an object");
  expect_refused(R"({"loss": "m\u001b[31mse", "optimizer": "adam"})", "x1b[31m");
}

TEST(TrainingConfig, NeedsACompiledModel) {
  const Network model = classifier();

  expect_error(
      ExitCode::kUsage, [&] { training_config_to_json(model); }, HasSubstr("expected compile()"));
}

TEST(TrainingConfig, NamesAllThatIsMissing) {
  Network model = model_from_layers_text("Dense(3, softmax, input_shape=(4,))");
  expect_error(
      ExitCode::kBadData,
      [&] {
        compile_from_json(model, ordered_json::parse(R"({"loss": "my_loss", "metrics": ["accuracy"],
            "loss_weights": [2.0], "optimizer_config": {"class_name": "Muon", "config": {}}})"));
      },
      testing::AllOf(testing::HasSubstr("3 problems"), testing::HasSubstr("loss_weights: expected"),
                     testing::HasSubstr("got 'Muon'"), testing::HasSubstr("got 'my_loss'")));
}

TEST(TrainingConfig, AccuracyThatDoesNotFitTheLossIsResolvedAnew) {
  Network model = model_from_layers_text("Dense(3, softmax, input_shape=(4,))");
  compile_from_json(model, ordered_json::parse(R"({"loss": "sparse_categorical_crossentropy",
      "metrics": [[{"class_name": "MeanMetricWrapper", "config": {"name": "accuracy", "dtype": "float32",
      "fn": "categorical_accuracy"}}]], "optimizer_config": {"class_name": "Adam", "config": {}}})"));
  EXPECT_EQ(model.metrics()[0]->to_json()["class_name"], "SparseCategoricalAccuracy");
}

}  // namespace
}  // namespace lockstep
