#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "src/metrics/metric.hpp"
#include "tests/src/losses/loss_check.hpp"
#include "tests/src/model/expect_error.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;

constexpr TargetKind kClasses = TargetKind::kClasses;
constexpr TargetKind kValues = TargetKind::kValues;

double sum_of(const Metric& metric, const std::vector<float>& p, std::int64_t columns,
              const Targets& targets) {
  double sum = 0;
  metric.add({p.data(), std::ssize(p) / columns, columns}, targets, {&sum, 1});
  return sum;
}

TEST(MakeMetric, AccuracyMeansWhatTheNetworkNeedsAndKeepsItsSpelling) {
  const std::vector<std::int32_t> classes{1};
  const std::vector<float> one_hot{0, 1, 0};
  const std::vector<float> one{1};
  for (const std::string name : {"accuracy", "acc", "Accuracy"}) {
    const auto sparse = make_metric(name, 3, kClasses);
    EXPECT_EQ(sparse->name(), name);
    EXPECT_EQ(sparse->to_json()["class_name"], "SparseCategoricalAccuracy");
    EXPECT_EQ(sparse->to_json()["config"]["name"], name);
    EXPECT_TRUE(sparse->larger_is_better());
    EXPECT_EQ(sum_of(*sparse, {0.1f, 0.4f, 0.3f}, 3, class_targets(classes)), 1.0);
    const auto categorical = make_metric(name, 3, kValues);
    // Binary accuracy would give 2/3.
    EXPECT_EQ(sum_of(*categorical, {0.1f, 0.4f, 0.3f}, 3, value_targets(one_hot, 3)), 1.0);
    const auto binary = make_metric(name, 1, kValues);
    EXPECT_EQ(sum_of(*binary, {0.4f}, 1, value_targets(one, 1)), 0.0);
    EXPECT_EQ(sum_of(*binary, {0.6f}, 1, value_targets(one, 1)), 1.0);
  }
}

TEST(MakeMetric, ErrorsAreMeansOverThePosition) {
  const std::vector<float> t{0, 0, 1, 1};
  const std::vector<float> p{1, -3, 1, 2};
  for (const std::string name : {"mse", "mean_squared_error"}) {
    const auto metric = make_metric(name, 2, kValues);
    EXPECT_EQ(metric->name(), name);
    EXPECT_FALSE(metric->larger_is_better());
    EXPECT_DOUBLE_EQ(sum_of(*metric, p, 2, value_targets(t, 2)), 5.5);
  }
  const auto absolute = make_metric("mae", 2, kValues);
  EXPECT_FALSE(absolute->larger_is_better());
  EXPECT_DOUBLE_EQ(sum_of(*absolute, p, 2, value_targets(t, 2)), 2.5);
}

TEST(MakeMetric, TopKHasFiveByDefault) {
  const std::vector<float> p{6, 5, 4, 3, 2, 1};
  const std::vector<std::int32_t> fifth{4};
  const std::vector<std::int32_t> sixth{5};
  const auto metric = make_metric("sparse_top_k_categorical_accuracy", 6, kClasses);
  EXPECT_EQ(sum_of(*metric, p, 6, class_targets(fifth)), 1.0);
  EXPECT_EQ(sum_of(*metric, p, 6, class_targets(sixth)), 0.0);
  const std::vector<float> one_hot{0, 0, 0, 0, 0, 1};
  const auto of_values = make_metric("top_k_categorical_accuracy", 6, kValues);
  EXPECT_EQ(sum_of(*of_values, p, 6, value_targets(one_hot, 6)), 0.0);
}

TEST(MakeMetric, ReadsKerassClasses) {
  const Json wrapper = Json::parse(
      R"({"class_name": "MeanMetricWrapper",
          "config": {"name": "accuracy", "dtype": "float32", "fn": "sparse_categorical_accuracy"}})");
  const auto accuracy = make_metric(wrapper, 10, kClasses);
  EXPECT_EQ(accuracy->name(), "accuracy");
  EXPECT_EQ(accuracy->to_json()["class_name"], "SparseCategoricalAccuracy");
  const Json top = Json::parse(
      R"({"class_name": "SparseTopKCategoricalAccuracy", "config": {"name": "top_2", "k": 2}})");
  const auto top_2 = make_metric(top, 3, kClasses);
  const std::vector<std::int32_t> classes{1, 2};
  EXPECT_EQ(sum_of(*top_2, {3, 2, 1, 3, 2, 1}, 3, class_targets(classes)), 1.0);
  const Json function = Json::parse(
      R"({"module": "builtins", "class_name": "function", "config": "mean_squared_error",
          "registered_name": "function"})");
  EXPECT_EQ(make_metric(function, 3, kValues)->name(), "mean_squared_error");
  const Json binary =
      Json::parse(R"({"class_name": "BinaryAccuracy", "config": {"threshold": 0.25}})");
  const std::vector<float> one{1};
  EXPECT_EQ(sum_of(*make_metric(binary, 1, kValues), {0.3f}, 1, value_targets(one, 1)), 1.0);
}

TEST(MakeMetric, RoundTripsThroughJson) {
  for (const char* text : {R"({"class_name":"SparseTopKCategoricalAccuracy",)"
                           R"("config":{"name":"top_2","dtype":"float32","k":2}})",
                           R"({"class_name":"SparseCategoricalAccuracy",)"
                           R"("config":{"name":"mine","dtype":"float32"}})",
                           R"("sparse_categorical_accuracy")"}) {
    EXPECT_EQ(make_metric(Json::parse(text), 10, kClasses)->to_json().dump(), text);
  }
  // "accuracy" would mean categorical accuracy here.
  const char* binary = R"({"class_name":"BinaryAccuracy",)"
                       R"("config":{"name":"accuracy","dtype":"float32","threshold":0.5}})";
  EXPECT_EQ(make_metric(Json::parse(binary), 10, kValues)->to_json().dump(), binary);
}

TEST(MakeMetric, RefusesByNameWhatLockstepLacks) {
  const auto refused = [](const char* text, TargetKind kind, const char* message) {
    expect_error(
        ExitCode::kBadData, [&] { make_metric(Json::parse(text), 10, kind); }, HasSubstr(message));
  };
  refused(R"("mean_io_u")", kClasses, "[metric] expected a known metric, got 'mean_io_u'");
  refused(R"("recal")", kValues, "; did you mean 'recall'?");
  refused(R"({"class_name": "MeanIoU", "config": {}})", kValues, "got 'MeanIoU'");
  // Keras's class of that name compares numbers for equality.
  refused(R"({"class_name": "Accuracy", "config": {}})", kClasses, "got 'Accuracy'");
  refused(R"({"class_name": "MeanMetricWrapper", "config": {"fn": "my_own"}})", kValues,
          "got 'my_own'");
  refused(R"({"class_name": "MeanMetricWrapper", "config": {}})", kValues,
          "[MeanMetricWrapper] fn: expected a function, got nothing");
  refused(R"({"class_name": "SparseTopKCategoricalAccuracy", "config": {"k": 0}})", kClasses,
          "k: expected an integer of at least 1, got 0");
  refused(R"({"class_name": "SparseCategoricalAccuracy", "config": {"k": 3}})", kClasses,
          "k: expected no such key, got 3");
}

TEST(MakeMetric, RefusesAMetricThatDoesNotFitTheTargets) {
  const auto refused = [](const char* name, std::int64_t columns, TargetKind kind,
                          const char* message) {
    expect_error(
        ExitCode::kBadData, [&] { make_metric(name, columns, kind); }, HasSubstr(message));
  };
  refused("sparse_categorical_accuracy", 10, kValues,
          "[sparse_categorical_accuracy] expected a loss whose targets are class indices, got one "
          "whose targets are numbers of the outputs' shape");
  refused("categorical_accuracy", 10, kClasses, "targets are class indices");
  refused("mse", 10, kClasses, "[mean_squared_error]");
  refused("accuracy", 1, kClasses, "[binary_accuracy]");
}

}  // namespace
}  // namespace lockstep
