#include "src/model/sequential.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "src/core/error.hpp"
#include "src/layers/activation_layer.hpp"
#include "src/layers/dense.hpp"
#include "src/layers/dropout.hpp"
#include "src/layers/rescaling.hpp"
#include "src/layers/reshaping.hpp"

namespace lockstep {
namespace {

/// Rescaling, Flatten, Dense(5, tanh), Dropout, Dense(4, softmax) on (2, 3) inputs.
Network small_network() {
  Sequential model;
  model.add(std::make_unique<Rescaling>(0.5));
  model.add(std::make_unique<Flatten>());
  model.add(std::make_unique<Dense>(5, Activation::kTanh));
  model.add(std::make_unique<Dropout>(0.3));
  model.add(std::make_unique<Dense>(4, Activation::kSoftmax));
  model.build({2, 3});
  model.initialize(1);
  model.compile("adam", "sparse_categorical_crossentropy", {"accuracy"});
  return model;
}

constexpr std::int64_t kRows = 6;
const std::vector<std::int32_t> kClasses{0, 3, 1, 2, 2, 0};

void fill_input(const Workspace& workspace) {
  const RandomStream random(2, Purpose::kSynthetic, 0);
  const auto input = workspace.input({0, kRows}).flat();
  for (std::size_t i = 0; i < input.size(); ++i) input[i] = 4 * random.uniform(i) - 2;
}

double loss_of(Network& model, Workspace& workspace, const Pass& pass, bool with_gradient) {
  fill_input(workspace);
  const Matrix outputs = model.forward(workspace, {0, kRows}, pass, true);
  return model.loss().compute(outputs, {.classes = kClasses, .values = {}},
                              with_gradient ? workspace.output_gradient({0, kRows}) : Matrix{},
                              1.0f, model.loss_is_fused());
}

TEST(Sequential, GradientsOfTheWholeNetworkMatchFiniteDifferences) {
  Network model = small_network();
  Workspace workspace = model.training_workspace(kRows);
  const Range all{0, kRows};
  const Pass pass{.training = true, .seed = 4, .step = 2, .first_row = 0};
  loss_of(model, workspace, pass, true);
  model.backward(workspace, {0, kRows}, pass);
  std::vector<float> gradients(static_cast<std::size_t>(model.arena().trainable_size()));
  model.gradients(workspace, {0, kRows}, pass, {.samples = {&all, 1}, .grain = 4},
                  {0, std::ssize(gradients)}, gradients.data());

  constexpr float kStep = 1.0f / 128;
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    float& w = model.arena().values()[i];
    const float saved = w;
    w = saved + kStep;
    const double above = loss_of(model, workspace, pass, false);
    w = saved - kStep;
    const double below = loss_of(model, workspace, pass, false);
    w = saved;
    EXPECT_NEAR(static_cast<double>(gradients[i]), (above - below) / (2.0 / 128), 3e-3) << i;
  }
}

TEST(Sequential, GradientsComeInAnyCutsOfParameters) {
  Network model = small_network();
  Workspace workspace = model.training_workspace(kRows);
  const std::int64_t size = model.arena().trainable_size();
  const Range all{0, kRows};
  const Pass pass{.training = true, .seed = 4};
  loss_of(model, workspace, pass, true);
  model.backward(workspace, all, pass);
  const auto gradients = [&](Range floats, float* out) {
    model.gradients(workspace, all, {}, {.samples = {&all, 1}, .grain = 4}, floats, out);
  };
  std::vector<float> whole(static_cast<std::size_t>(size)), cut = whole;
  gradients({0, size}, whole.data());
  for (std::int64_t first = 0; first < size; first += 7)
    gradients({first, std::min(first + 7, size)}, cut.data() + first);
  EXPECT_EQ(cut, whole);
}

TEST(Sequential, PredictionsOfAFusedNetworkAreProbabilities) {
  Network model = small_network();
  Workspace workspace = model.inference_workspace(kRows);
  fill_input(workspace);
  const Matrix predictions = model.forward(workspace, {0, kRows}, {});
  for (std::int64_t i = 0; i < kRows; ++i) {
    double sum = 0;
    for (std::int64_t j = 0; j < 4; ++j) sum += static_cast<double>(predictions.row(i)[j]);
    EXPECT_NEAR(sum, 1.0, 1e-6);
  }
}

TEST(Sequential, FusesTheLastActivationOnlyWithALossThatKnowsIt) {
  Network model = small_network();
  EXPECT_TRUE(model.loss_is_fused());
  model.compile("sgd", "mse", {});
  EXPECT_FALSE(model.loss_is_fused());
}

TEST(Sequential, NamesLayersAsKerasDoes) {
  const Network model = small_network();
  std::vector<std::string> names;
  for (const auto& layer : model.layers()) names.push_back(layer->name());
  EXPECT_EQ(names,
            (std::vector<std::string>{"rescaling", "flatten", "dense", "dropout", "dense_1"}));
}

TEST(Sequential, RefusesTwoLayersOfOneName) {
  Sequential model;
  for (int i = 0; i < 2; ++i) {
    auto layer = std::make_unique<Flatten>();
    layer->set_name("twin");
    if (i == 0)
      model.add(std::move(layer));
    else
      EXPECT_THROW(model.add(std::move(layer)), Error);
  }
}

TEST(Sequential, TensorsStartOn64ByteBoundariesAndGapsStayZero) {
  Network model = small_network();
  std::vector<bool> used(static_cast<std::size_t>(model.arena().size()));
  for (const Parameter* parameter : model.arena().parameters()) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(parameter->value.data()) % 64, 0u);
    for (std::size_t i = 0; i < parameter->value.size(); ++i)
      used[static_cast<std::size_t>(parameter->offset) + i] = true;
  }
  for (std::size_t i = 0; i < used.size(); ++i)
    if (!used[i]) {
      EXPECT_EQ(model.arena().values()[i], 0.0f);
    }
  EXPECT_EQ(model.parameter_count(), 6 * 5 + 5 + 5 * 4 + 4);
}

TEST(Sequential, FirstWeightsDependOnTheSeedOnly) {
  Network a = small_network(), b = small_network();
  EXPECT_EQ(a.weights_sha256(), b.weights_sha256());
  b.initialize(2);
  EXPECT_NE(a.weights_sha256(), b.weights_sha256());
}

TEST(Sequential, FrozenLayersHaveNoGradientsAndStandBehindTheTrainedOnes) {
  Sequential model;
  auto frozen = std::make_unique<Dense>(3);
  frozen->set_trainable(false);
  model.add(std::move(frozen));
  model.add(std::make_unique<Dense>(2));
  model.build({4});
  EXPECT_GE(model.layers()[0]->parameters()[0].offset, model.arena().trainable_size());
  EXPECT_EQ(model.layers()[1]->parameters()[0].offset, 0);
}

TEST(Sequential, RegularizationGradientIsAddedInAnyCutOnce) {
  Sequential model;
  model.add(std::make_unique<Dense>(3, Activation::kLinear,
                                    Dense::Options{.kernel_regularizer = {.l1 = 0, .l2 = 0.5f}}));
  model.build({4});
  model.initialize(3);
  const std::int64_t size = model.arena().trainable_size();
  std::vector<float> gradients(static_cast<std::size_t>(size));
  for (const std::int64_t cut : {std::int64_t{0}, std::int64_t{5}, size}) {
    std::ranges::fill(gradients, 0.0f);
    model.add_regularization_gradient({0, cut}, gradients.data());
    model.add_regularization_gradient({cut, size}, gradients.data() + cut);
    const Parameter& kernel = model.layers()[0]->parameters()[0];
    for (std::size_t i = 0; i < kernel.value.size(); ++i)
      EXPECT_FLOAT_EQ(gradients[i], kernel.value[i]);
  }
}

TEST(Network, RefusesACallThatLeadsToNoOutput) {
  Network model("model");
  for (int i = 0; i < 2; ++i) model.add_layer(std::make_unique<Dense>(3));
  model.connect({{0, {}}, {1, {0}}}, {0});
  EXPECT_THROW(model.build({3}), Error);
}

TEST(Sequential, NamesALayerWithCapitalsAsKerasDoes) {
  Sequential model;
  model.add(std::make_unique<ActivationLayer>("LeakyReLU", Activation::kLeakyRelu));
  EXPECT_EQ(model.layers()[0]->name(), "leaky_re_lu");
}

TEST(Sequential, RefusesToCompileBeforeItIsBuilt) {
  Sequential model;
  model.add(std::make_unique<Dense>(3));
  EXPECT_THROW(model.compile("adam", "mse", {}), Error);
  EXPECT_THROW(Sequential().build({3}), Error);
}

}  // namespace
}  // namespace lockstep
