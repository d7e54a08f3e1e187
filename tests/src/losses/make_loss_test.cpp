#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "src/losses/loss.hpp"
#include "tests/src/losses/loss_check.hpp"
#include "tests/src/model/expect_error.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;

const std::vector<std::string> kNames = known_losses();

TEST(MakeLoss, KnowsNamesClassesAndAliases) {
  for (const std::string& name : kNames) EXPECT_EQ(make_loss(name)->name(), name);
  EXPECT_EQ(make_loss(std::string("mse"))->name(), "mean_squared_error");
  EXPECT_EQ(make_loss(std::string("MAE"))->name(), "mean_absolute_error");
  EXPECT_EQ(make_loss(std::string("bce"))->name(), "binary_crossentropy");
  EXPECT_EQ(make_loss(std::string("huber_loss"))->name(), "huber");
  EXPECT_EQ(make_loss(std::string("SparseCategoricalCrossentropy"))->name(),
            "sparse_categorical_crossentropy");
  const Json keras_2 = Json::parse(
      R"({"class_name": "SparseCategoricalCrossentropy",
          "config": {"reduction": "auto", "name": "my_loss", "from_logits": false,
                     "ignore_class": null, "fn": "sparse_categorical_crossentropy"}})");
  EXPECT_EQ(make_loss(keras_2)->to_json(), "sparse_categorical_crossentropy");
  const Json keras_3 = Json::parse(
      R"({"module": "keras.losses", "class_name": "MeanSquaredError", "registered_name": null,
          "config": {"name": "mean_squared_error", "reduction": "sum_over_batch_size",
                     "dtype": "float32"}})");
  EXPECT_EQ(make_loss(keras_3)->to_json(), "mean_squared_error");
}

TEST(MakeLoss, OnlyTheCrossentropiesFuseTheirActivation) {
  for (const std::string& name : kNames) {
    const bool softmax = name.ends_with("categorical_crossentropy");
    const bool sigmoid = name.starts_with("binary_");
    EXPECT_EQ(make_loss(name)->fuses(Activation::kSoftmax), softmax) << name;
    EXPECT_EQ(make_loss(name)->fuses(Activation::kSigmoid), sigmoid) << name;
    EXPECT_FALSE(make_loss(name)->fuses(Activation::kLinear)) << name;
  }
}

TEST(MakeLoss, RoundTripsThroughJson) {
  for (const std::string& name : kNames) {
    const Json json = make_loss(name)->to_json();
    if (json.is_string()) {
      EXPECT_EQ(json, name);
    }
    EXPECT_EQ(make_loss(json)->name(), name);
    EXPECT_EQ(make_loss(json)->to_json(), json);
  }
  for (const char* text :
       {R"({"class_name":"Huber","config":{"delta":2.0}})",
        R"({"class_name":"SparseCategoricalCrossentropy","config":{"from_logits":true}})",
        R"({"class_name":"CategoricalCrossentropy",)"
        R"("config":{"from_logits":false,"label_smoothing":0.1}})",
        R"({"class_name":"BinaryCrossentropy",)"
        R"("config":{"from_logits":true,"label_smoothing":0.0}})"}) {
    EXPECT_EQ(make_loss(Json::parse(text))->to_json().dump(), text);
  }
}

TEST(MakeLoss, RefusesByNameWhatLockstepLacks) {
  const auto refused = [](const char* text, const char* message) {
    expect_error(
        ExitCode::kBadData, [&] { make_loss(Json::parse(text)); }, HasSubstr(message));
  };
  refused(R"("ctc")", "[loss] expected a known loss, got 'ctc'");
  refused(R"("mean_square_error")", "; did you mean 'mean_squared_error'?");
  refused(R"("")", "got ''");
  refused(R"({"class_name": "Huber", "config": {"detla": 2}})",
          "[huber] detla: expected no such key, got 2; did you mean 'delta'?");
  refused(R"({"class_name": "Huber", "config": {"delta": 0}})",
          "delta: expected a number > 0, got 0");
  refused(R"({"class_name": "MeanSquaredError", "config": {"reduction": "sum"}})",
          "[mean_squared_error] reduction: expected 'sum_over_batch_size' or 'auto', got 'sum'");
  refused(R"({"class_name": "SparseCategoricalCrossentropy", "config": {"ignore_class": 3}})",
          "ignore_class: expected null, got 3");
  refused(R"({"class_name": "CategoricalCrossentropy", "config": {"axis": 1}})",
          "axis: expected -1, got 1");
  refused(R"({"class_name": "BinaryCrossentropy", "config": {"label_smoothing": 1.5}})",
          "label_smoothing: expected a number from 0 to 1, got 1.5");
  refused(R"({"class_name": "SparseCategoricalCrossentropy", "config": {"label_smoothing": 0.1}})",
          "label_smoothing: expected no such key, got 0.1");
  refused(R"({"class_name": "MeanSquaredError", "config": {"fn": "mean_absolute_error"}})",
          "fn: expected mean_squared_error, got 'mean_absolute_error'");
}

using LossForm = std::pair<std::string, bool>;

/// Each loss unfused, and fused if it can be.
std::vector<LossForm> all_forms() {
  std::vector<LossForm> forms;
  for (const std::string& name : kNames) {
    forms.emplace_back(name, false);
    const auto loss = make_loss(name);
    if (loss->fuses(Activation::kSoftmax) || loss->fuses(Activation::kSigmoid))
      forms.emplace_back(name, true);
  }
  return forms;
}

// What every loss promises, in every form that it has.
class EveryLoss : public testing::TestWithParam<LossForm> {
 protected:
  void SetUp() override {
    const auto& [name, fused] = GetParam();
    loss_ = make_loss(name);
    fused_ = fused;
    targets_ = loss_->target_kind() == TargetKind::kClasses ? class_targets(classes_)
                                                            : value_targets(values_, 3);
  }

  std::unique_ptr<Loss> loss_;
  bool fused_ = false;
  const std::vector<float> outputs_{0.5f, 0.25f, 0.125f, 0.75f, 0.5f, 0.0625f};
  const std::vector<std::int32_t> classes_{2, 0};
  const std::vector<float> values_{0, 0.25f, 0.75f, 1, 0, 0};
  Targets targets_;
};

TEST_P(EveryLoss, OfNoPositionsIsZeroAndTouchesNothing) {
  Targets none;
  none.values.columns = 3;
  EXPECT_EQ(loss_->compute({nullptr, 0, 3}, none, {}, 1, fused_), 0.0);
  float untouched = 7;
  EXPECT_EQ(loss_->compute({&untouched, 0, 3}, none, {&untouched, 0, 3}, 1, fused_), 0.0);
  EXPECT_EQ(untouched, 7.0f);
}

TEST_P(EveryLoss, IsASumOverPositions) {
  const LossResult whole = run_loss(*loss_, outputs_, 3, targets_, fused_);
  double sum = 0;
  std::vector<float> gradient;
  for (std::size_t i = 0; i < 2; ++i) {
    Targets one;
    if (!targets_.classes.empty()) one.classes = targets_.classes.subspan(i, 1);
    if (targets_.values.data) one.values = {targets_.values.data + 3 * i, 1, 3};
    const std::vector<float> row(outputs_.begin() + static_cast<std::ptrdiff_t>(3 * i),
                                 outputs_.begin() + static_cast<std::ptrdiff_t>(3 * i + 3));
    const LossResult part = run_loss(*loss_, row, 3, one, fused_);
    sum += part.sum;
    gradient.insert(gradient.end(), part.gradient.begin(), part.gradient.end());
  }
  EXPECT_EQ(whole.sum, sum);
  EXPECT_EQ(whole.gradient, gradient);
}

TEST_P(EveryLoss, ScaleMultipliesTheGradientOnly) {
  const LossResult one = run_loss(*loss_, outputs_, 3, targets_, fused_, 1);
  const LossResult half = run_loss(*loss_, outputs_, 3, targets_, fused_, 0.5f);
  EXPECT_EQ(half.sum, one.sum);
  for (std::size_t i = 0; i < one.gradient.size(); ++i)
    EXPECT_FLOAT_EQ(half.gradient[i], one.gradient[i] / 2);
}

TEST_P(EveryLoss, IsTheSameWithoutAGradient) {
  const LossResult with = run_loss(*loss_, outputs_, 3, targets_, fused_, 1, true);
  const LossResult without = run_loss(*loss_, outputs_, 3, targets_, fused_, 1, false);
  EXPECT_EQ(without.sum, with.sum);
  EXPECT_EQ(without.outputs, with.outputs);
  EXPECT_EQ(without.gradient, std::vector<float>(6, -99.0f));
}

TEST_P(EveryLoss, RefusesTargetsOfAnotherShape) {
  const std::vector<std::int32_t> three_classes{0, 1, 2};
  const std::vector<float> narrow{0, 0, 0, 0};
  const bool classes = loss_->target_kind() == TargetKind::kClasses;
  const Targets wrong = classes ? class_targets(three_classes) : value_targets(narrow, 2);
  expect_error(
      ExitCode::kBadData, [&] { run_loss(*loss_, outputs_, 3, wrong, fused_); },
      HasSubstr(classes ? "expected a class for each of 2 positions, got 3"
                        : "expected targets of shape (2, 3), got (2, 2)"));
}

INSTANTIATE_TEST_SUITE_P(Losses, EveryLoss, testing::ValuesIn(all_forms()), [](const auto& info) {
  return info.param.first + (info.param.second ? "_fused" : "_unfused");
});

}  // namespace
}  // namespace lockstep
