// Losses and gradients by real Keras: tests/reference/keras_losses.py.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "tests/src/losses/loss_check.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;

Json keras() {
  return Json::parse(std::ifstream(LOCKSTEP_KERAS_LOSSES));
}

TEST(KerasLosses, GiveKerassSumsAndGradients) {
  const Json all = keras();
  const auto columns = all["columns"].get<std::int64_t>();
  const auto numbers = [&](const Json& name) {
    return all["arrays"][name.get<std::string>()].get<std::vector<float>>();
  };
  ASSERT_GE(all["losses"].size(), 21u);
  for (const Json& wanted : all["losses"]) {
    SCOPED_TRACE(wanted["json"].dump());
    const auto loss = make_loss(wanted["json"]);
    const std::vector<float> targets = numbers(wanted["targets"]);
    const LossResult result =
        run_loss(*loss, numbers(wanted["outputs"]), columns, value_targets(targets, columns),
                 wanted["fused"].get<bool>());
    const auto sum = wanted["sum"].get<double>();
    EXPECT_NEAR(result.sum, sum, 2e-6 * std::abs(sum));
    const auto gradient = wanted["gradient"].get<std::vector<double>>();
    for (std::size_t i = 0; i < gradient.size(); ++i)
      EXPECT_NEAR(static_cast<double>(result.gradient[i]), gradient[i],
                  1e-6 + 1e-5 * std::abs(gradient[i]))
          << i;
  }
}

TEST(KerasLosses, GradientsMatchFiniteDifferences) {
  const std::vector<float> numbers{0.75f, -1.25f, 0.5f, 2, 0.25f, -0.625f};
  const std::vector<float> probabilities{0.25f, 0.75f, 0.5f, 0.125f, 0.375f, 0.625f};
  const std::vector<float> targets{1, 0, 1, 0, 1, 0.5f};
  const std::vector<float> other{0.5f, 1, 0.25f, -1, 0.125f, -0.5f};
  const auto check = [](const Json& json, const std::vector<float>& outputs,
                        const std::vector<float>& values, bool fused = false) {
    expect_gradient_matches_differences(*make_loss(json), outputs, 3, value_targets(values, 3),
                                        fused);
  };
  for (const char* name : {"log_cosh", "cosine_similarity", "hinge", "squared_hinge", "msle"})
    check(name, numbers, other);
  check("categorical_hinge", numbers, targets);
  for (const char* name :
       {"kl_divergence", "poisson", "binary_focal_crossentropy", "categorical_focal_crossentropy"})
    check(name, probabilities, targets);
  check("binary_focal_crossentropy", numbers, targets, true);
  for (const double gamma : {0.0, 1.0, 2.5}) {
    const Json config = {{"gamma", gamma}, {"from_logits", true}};
    check({{"class_name", "BinaryFocalCrossentropy"}, {"config", config}}, numbers, targets);
    check({{"class_name", "CategoricalFocalCrossentropy"}, {"config", config}}, numbers, targets);
  }
}

TEST(KerasLosses, AFusedOneLeavesThePredictionsOfTheActivation) {
  const std::vector<float> logits{0.5f, -30, 40};
  const std::vector<float> targets{1, 0, 1};
  std::vector<float> expected = logits;
  activate(Activation::kSigmoid, {expected.data(), 1, 3});
  const auto loss = make_loss(std::string("binary_focal_crossentropy"));
  EXPECT_EQ(run_loss(*loss, logits, 3, value_targets(targets, 3), true).outputs, expected);
}

TEST(KerasLosses, SaturatedOnesAreFinite) {
  const std::vector<float> far{-1e4f, 1e4f, 1e30f};
  const std::vector<float> targets{1, 0, 1};
  for (const char* name : {"log_cosh", "hinge", "cosine_similarity", "mse"}) {
    const LossResult result =
        run_loss(*make_loss(std::string(name)), far, 3, value_targets(targets, 3), false);
    EXPECT_TRUE(std::isfinite(result.sum)) << name;
    for (const float g : result.gradient) EXPECT_TRUE(std::isfinite(g)) << name;
  }
}

TEST(KerasLosses, ANaNStaysOne) {
  const std::vector<float> outputs{0.5f, std::nanf(""), 0.25f};
  const std::vector<float> targets{1, 0, 1};
  for (const std::string& name : known_losses()) {
    const auto loss = make_loss(name);
    if (loss->target_kind() == TargetKind::kClasses) continue;
    EXPECT_TRUE(std::isnan(run_loss(*loss, outputs, 3, value_targets(targets, 3), false).sum))
        << name;
  }
}

}  // namespace
}  // namespace lockstep
