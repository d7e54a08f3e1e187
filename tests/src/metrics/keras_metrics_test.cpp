// Metrics by real Keras: tests/reference/keras_losses.py.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "src/metrics/metric.hpp"
#include "tests/src/losses/loss_check.hpp"
#include "tests/src/model/expect_error.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;

ConstMatrix matrix(const std::vector<float>& values, std::int64_t columns) {
  return {values.data(), std::ssize(values) / columns, columns};
}

/// In parts of so many rows, each summed up by itself as ranks do.
double result_of(const Metric& metric, ConstMatrix p, const Targets& targets, std::int64_t part) {
  std::vector<double> sums(metric.sums(), 0.0);
  for (std::int64_t first = 0; first < p.rows; first += part) {
    const std::int64_t count = std::min(part, p.rows - first);
    std::vector<double> of_part(sums.size(), 0.0);
    metric.add(p.rows_from(first, count), targets.slice(first, count), of_part);
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += of_part[i];
  }
  return metric.result(sums, static_cast<double>(p.rows));
}

TEST(KerasMetrics, GiveKerassResultsHoweverRowsAreGrouped) {
  const Json all = Json::parse(std::ifstream(LOCKSTEP_KERAS_LOSSES));
  const auto columns = all["columns"].get<std::int64_t>();
  ASSERT_GE(all["metrics"].size(), 44u);
  for (const Json& wanted : all["metrics"]) {
    SCOPED_TRACE(wanted["json"].dump());
    const auto metric = make_metric(wanted["json"], columns, TargetKind::kValues);
    const auto numbers = [&](const char* key) {
      return all["arrays"][wanted[key].get<std::string>()].get<std::vector<float>>();
    };
    const std::vector<float> p = numbers("outputs");
    const std::vector<float> t = numbers("targets");
    const auto expected = wanted["result"].get<double>();
    for (const std::int64_t part : {1, 2, 6})
      EXPECT_NEAR(result_of(*metric, matrix(p, columns), value_targets(t, columns), part), expected,
                  3e-6 * std::max(1.0, std::abs(expected)));
    // What is written means the same.
    const auto again = make_metric(metric->to_json(), columns, TargetKind::kValues);
    EXPECT_EQ(again->to_json(), metric->to_json());
    EXPECT_EQ(result_of(*again, matrix(p, columns), value_targets(t, columns), 6),
              result_of(*metric, matrix(p, columns), value_targets(t, columns), 6));
  }
}

TEST(KerasMetrics, OfTheNamesAlone) {
  const std::vector<float> p{0.25f, 0.75f, 0.5f, 0.125f};
  const std::vector<float> t{0, 1, 1, 0};
  const std::vector<std::int32_t> classes{1, 0};
  for (const std::string& name : known_metrics()) {
    if (name.find("_at_") != std::string::npos || name.ends_with("f1_score") ||
        name.ends_with("fbeta_score"))
      continue;  // they need a setting
    const TargetKind kind = name.starts_with("sparse") ? TargetKind::kClasses : TargetKind::kValues;
    const auto metric = make_metric(name, 2, kind);
    EXPECT_EQ(metric->name(), name);
    const Targets targets =
        kind == TargetKind::kClasses ? class_targets(classes) : value_targets(t, 2);
    EXPECT_TRUE(std::isfinite(result_of(*metric, matrix(p, 2), targets, 1))) << name;
  }
}

TEST(KerasMetrics, OfNothingThatIsPositiveAre0) {
  const std::vector<float> p{0.25f, 0.125f};
  const std::vector<float> t{0, 0};
  for (const char* name : {"precision", "recall", "auc", "true_positives"})
    EXPECT_EQ(
        result_of(*make_metric(name, 1, TargetKind::kValues), matrix(p, 1), value_targets(t, 1), 1),
        0.0)
        << name;
}

TEST(KerasMetrics, R2OfTargetsThatAreAllTheSame) {
  const std::vector<float> p{0.1f, 1, 0.1f, 2, 0.1f, 3};
  const std::vector<float> t{0.1f, 0.1f, 0.1f, 0.1f, 0.1f, 0.1f};
  for (const char* how : {"uniform_average", "variance_weighted_average"}) {
    const auto metric =
        make_metric(Json{{"class_name", "R2Score"}, {"config", {{"class_aggregation", how}}}}, 2,
                    TargetKind::kValues);
    EXPECT_EQ(result_of(*metric, matrix(p, 2), value_targets(t, 2), 1), 0.5) << how;
  }
}

TEST(KerasMetrics, BinaryIoUTakesWhatIsAtTheThreshold) {
  const std::vector<float> p{0, 0, -1};
  const std::vector<float> t{1, 1, 0};
  const auto metric = make_metric(Json{{"class_name", "BinaryIoU"}, {"config", {{"threshold", 0}}}},
                                  1, TargetKind::kValues);
  EXPECT_NEAR(result_of(*metric, matrix(p, 1), value_targets(t, 1), 3), 1, 1e-6);
}

TEST(KerasMetrics, KnowWhichIsBetter) {
  const auto better = [](const char* name) {
    return make_metric(name, 3, TargetKind::kValues)->larger_is_better();
  };
  EXPECT_TRUE(better("auc"));
  EXPECT_TRUE(better("cosine_similarity"));
  EXPECT_TRUE(better("r2_score"));
  EXPECT_FALSE(better("rmse"));
  EXPECT_FALSE(better("hinge"));
  EXPECT_FALSE(better("false_positives"));
}

TEST(KerasMetrics, RefusesByNameWhatWouldBeSeveralNumbersOrIsLacking) {
  const auto refused = [](const char* text, const char* message) {
    expect_error(
        ExitCode::kBadData, [&] { make_metric(Json::parse(text), 3, TargetKind::kValues); },
        HasSubstr(message));
  };
  refused(R"({"class_name": "Precision", "config": {"thresholds": [0.25, 0.5]}})",
          "[Precision] thresholds: expected one number from 0 to 1, got [0.25, 0.5]");
  refused(R"({"class_name": "Precision", "config": {"class_id": 3}})", "class_id: expected");
  refused(R"({"class_name": "F1Score", "config": {}})",
          "[F1Score] average: expected 'micro', 'macro' or 'weighted', got none");
  refused(R"({"class_name": "AUC", "config": {"multi_label": true}})",
          "[AUC] multi_label: expected false, got true");
  refused(R"({"class_name": "AUC", "config": {"curve": "LIFT"}})", "[AUC] curve: expected");
  refused(R"({"class_name": "AUC", "config": {"num_thresholds": 1}})",
          "[AUC] num_thresholds: expected");
  refused(R"({"class_name": "AUC", "config": {"thresholds": [0.5, 2]}})",
          "[AUC] thresholds: expected a list of numbers from 0 to 1");
  for (const char* name : {"loss", "val_auc", "a,b"})
    refused(fmt::format(R"({{"class_name": "AUC", "config": {{"name": "{}"}}}})", name).c_str(),
            "[AUC] name: expected");
  refused(R"("precision_at_recall")", "[precision_at_recall] recall: expected");
  refused(R"({"class_name": "BinaryIoU", "config": {"target_class_ids": [2]}})",
          "target_class_ids");
}

}  // namespace
}  // namespace lockstep
