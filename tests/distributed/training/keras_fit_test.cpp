// What Keras 3's fit() makes of small networks: tests/reference/fits, by
// tests/reference/keras_fit.py.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "distributed/training/trainer.hpp"
#include "src/model/model_json.hpp"
#include "tests/support/ranks.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;
using Floats = std::vector<float>;
using Strategy = DistributedOptimizer::Strategy;

const std::string kDirectory = LOCKSTEP_SOURCE_DIR "/tests/reference/fits";

std::vector<std::string> all_fits() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kDirectory))
    names.push_back(entry.path().stem());
  std::ranges::sort(names);
  return names;
}

/// Rows as Keras was given them.
struct Rows {
  Floats x, y, weights;
  Shape x_shape, y_shape, weight_shape;

  Rows(const ordered_json& fit, const std::string& key)
      : x(fit.at(key)[0].get<Floats>()),
        y(fit.at(key)[1].get<Floats>()),
        x_shape(fit.at("shape").get<Shape>()),
        y_shape(fit.at("y").get<Shape>()) {
    if (fit.at("weights").is_null()) return;
    weights = fit.at(key)[2].get<Floats>();
    weight_shape = fit.at("weights").get<Shape>();
  }
  ArrayDataset view() const {
    return {array_view<float>(x, x_shape), array_view<float>(y, y_shape),
            weights.empty() ? ArrayView{} : array_view<float>(weights, weight_shape)};
  }
};

class KerasFit : public testing::TestWithParam<std::string> {
 protected:
  KerasFit() {
    std::ifstream file(kDirectory + "/" + GetParam() + ".json");
    fit_ = ordered_json::parse(file);
  }
  struct Result {
    History history;
    Floats weights;
    bool operator==(const Result& other) const {
      return weights == other.weights && history.back().loss == other.history.back().loss &&
             history.back().validation_loss == other.history.back().validation_loss &&
             history.back().metrics == other.history.back().metrics;
    }
  };
  Result train(Communicator ranks, TrainOptions options) const {
    const Rows data(fit_, "data"), held_out(fit_, "held_out");
    Network model = model_from_json(fit_.at("model"));
    model.compile(fit_.at("optimizer"), fit_.at("loss"), ordered_json::array({"accuracy"}));
    const auto parameters = model.arena().parameters();
    for (std::size_t i = 0; i < parameters.size(); ++i)
      std::ranges::copy(fit_.at("before")[i].get<Floats>(), parameters[i]->value.begin());
    options.epochs = 2;
    options.batch_size = 4;
    options.shuffle = false;
    options.initialize = false;
    Trainer trainer(model, std::move(ranks), options);
    Result result{trainer.fit(data.view(), held_out.view()), {}};
    for (const Parameter* parameter : parameters)
      result.weights.insert(result.weights.end(), parameter->value.begin(), parameter->value.end());
    const Evaluation evaluation = trainer.evaluate(held_out.view());
    if (!model.optimizer().average_slot()) {
      EXPECT_EQ(evaluation.loss, result.history.back().validation_loss);
    }
    return result;
  }
  ordered_json fit_;
};
INSTANTIATE_TEST_SUITE_P(Cases, KerasFit, testing::ValuesIn(all_fits()),
                         [](const auto& info) { return info.param; });

void expect_near(double got, double expected, const std::string& what) {
  EXPECT_NEAR(got, expected, 1e-5 * std::max(1.0, std::abs(expected))) << what;
}

TEST_P(KerasFit, IsWhatKerasComputes) {
  const Result result = train(test::alone(), {});
  const ordered_json& expected = fit_.at("history");
  for (std::size_t epoch = 0; epoch < 2; ++epoch) {
    const EpochReport& report = result.history.at(epoch);
    expect_near(report.loss, expected.at("loss")[epoch].get<double>(), "loss");
    expect_near(*report.validation_loss, expected.at("val_loss")[epoch].get<double>(), "val_loss");
    expect_near(report.metrics.at(0).second, expected.at("accuracy")[epoch].get<double>(),
                "accuracy");
  }
  std::size_t at = 0;
  for (const ordered_json& weight : fit_.at("after"))
    for (const ordered_json& number : weight) {
      ASSERT_LT(at, result.weights.size());
      expect_near(static_cast<double>(result.weights[at]), number.get<double>(),
                  "weight " + std::to_string(at));
      ++at;
    }
  EXPECT_EQ(at, result.weights.size());
}

TEST_P(KerasFit, HasTheSameBitsOnAnyNumberOfRanks) {
  for (const std::int64_t grain : {1, 2}) {
    const Result alone = train(test::alone(), {.grain = grain});
    for (const Strategy sync : {Strategy::kSharded, Strategy::kAllreduce}) {
      TrainOptions options{.grain = grain, .sync = sync};
      if (grain == 1) options.block_grains = 1;
      if (grain == 1) options.bucket_floats = 8;
      EXPECT_TRUE(train(test::world(), options) == alone) << grain;
    }
  }
}

}  // namespace
}  // namespace lockstep
