#include "src/parameters/constraint.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "src/core/random.hpp"
#include "tests/src/model/expect_error.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;
using Floats = std::vector<float>;

Json written(const char* json) {
  return make_constraint(Json::parse(json)).to_json();
}

TEST(Constraint, IsReadAsAnyKerasWritesIt) {
  EXPECT_FALSE(make_constraint(nullptr).active());
  EXPECT_EQ(make_constraint(nullptr).to_json(), nullptr);
  const Json max_norm =
      Json::parse(R"({"class_name": "MaxNorm", "config": {"max_value": 2.0, "axis": 0}})");
  for (const char* form :
       {R"("max_norm")", R"("MaxNorm")", R"("maxnorm")",
        R"({"name": "MaxNorm", "m": 2, "axis": 0})", R"({"class_name": "MaxNorm", "config": {}})",
        R"({"class_name": "MaxNorm", "config": {"max_value": 2, "axis": 0}})",
        R"({"module": "keras.constraints", "class_name": "MaxNorm",
            "config": {"max_value": 2, "axis": 0}, "registered_name": null})"})
    EXPECT_EQ(written(form), max_norm) << form;
  EXPECT_EQ(written(R"({"name": "MinMaxNorm", "low": 0.5, "high": 2, "rate": 0.25, "axis": 1})"),
            Json::parse(R"({"class_name": "MinMaxNorm",
                "config": {"min_value": 0.5, "max_value": 2.0, "rate": 0.25, "axis": 1}})"));
  EXPECT_EQ(written(R"({"class_name": "UnitNorm", "config": {"axis": [0, 1, -2]}})"),
            Json::parse(R"({"class_name": "UnitNorm", "config": {"axis": [0, 1, -2]}})"));
  EXPECT_EQ(written(R"({"class_name": "UnitNorm", "config": {"axis": null}})"),
            Json::parse(R"({"class_name": "UnitNorm", "config": {"axis": null}})"));
  EXPECT_EQ(written(R"("nonneg")"), Json::parse(R"({"class_name": "NonNeg", "config": {}})"));
}

TEST(Constraint, RefusesWhatItCannotBe) {
  const auto refused = [](const char* json, const char* message) {
    expect_error(
        ExitCode::kBadData, [&] { make_constraint(Json::parse(json)); }, HasSubstr(message));
  };
  refused(R"("radial")", "expected one of MaxNorm, NonNeg, UnitNorm, MinMaxNorm, got 'radial'");
  refused("3", "constraint");
  refused(R"({"class_name": "MaxNorm", "config": {"max_value": -1}})", "max_value: expected");
  refused(R"({"class_name": "MaxNorm", "config": {"axis": "last"}})", "axis: expected an axis");
  refused(R"({"class_name": "MaxNorm", "config": {"axis": [0, 1.5]}})", "axis: expected an axis");
  refused(R"({"class_name": "MaxNorm", "config": {"rate": 1}})", "rate: expected no such key");
  refused(R"({"class_name": "MinMaxNorm", "config": {"min_value": 2, "max_value": 1}})",
          "min_value: expected at most max_value, got 2 and 1");
  const auto fits = [](const char* axes, const Shape& shape) {
    const Json json = {{"class_name", "UnitNorm"}, {"config", {{"axis", Json::parse(axes)}}}};
    make_constraint(json).check_axes("dense", "kernel", shape);
  };
  fits("[0, -1]", {2, 3});
  fits("null", {});
  expect_error(
      ExitCode::kBadData,
      [&] {
        fits("2", {2, 3});
      },
      HasSubstr(
          "[dense] expected a constraint over axes from 0 to 1 of kernel (2, 3), got axis 2"));
  expect_error(
      ExitCode::kBadData,
      [&] {
        fits("[1, -1]", {2, 3});
      },
      HasSubstr("that differ, got (1, -1)"));
}

Floats constrained(const Json& json, const Shape& shape, Floats weight, int parts = 1) {
  ConstraintPass pass(make_constraint(json), shape);
  for (int part = 0; part < parts; ++part) pass.apply(weight, part, parts);
  return weight;
}

TEST(Constraint, ScalesColumnsOrRowsToTheirNorms) {
  const Floats weight{3, 0.25f, 0, 4, -0.5f, 0};  // (2, 3): norms of columns 5, 0.56, 0
  EXPECT_EQ(constrained("non_neg", {2, 3}, weight), (Floats{3, 0.25f, 0, 4, 0, 0}));
  const Floats columns = constrained("max_norm", {2, 3}, weight);
  const Floats expected{1.2f, 0.25f, 0, 1.6f, -0.5f, 0};
  for (std::size_t i = 0; i < 6; ++i) EXPECT_NEAR(columns[i], expected[i], 1e-6) << i;
  const Floats rows =
      constrained({{"class_name", "UnitNorm"}, {"config", {{"axis", 1}}}}, {2, 3}, weight);
  EXPECT_NEAR(std::hypot(rows[0], rows[1], rows[2]), 1, 1e-6);
  EXPECT_NEAR(std::hypot(rows[3], rows[4], rows[5]), 1, 1e-6);
  const Json slowly = {
      {"class_name", "MinMaxNorm"},
      {"config", {{"min_value", 1}, {"max_value", 2}, {"rate", 0.5}, {"axis", nullptr}}}};
  const double norm = std::sqrt(9 + 16 + 0.25 * 0.25 + 0.25);
  const Floats all = constrained(slowly, {2, 3}, weight);
  EXPECT_NEAR(all[0], 3 * (0.5 * 2 + 0.5 * norm) / norm, 1e-6);
}

TEST(Constraint, HasTheSameBitsInAnyNumberOfParts) {
  const RandomStream random(1, Purpose::kSynthetic, 0);
  for (const Shape& shape : {Shape{7}, Shape{5, 3}, Shape{2, 3, 4, 5}, Shape{1, 6, 1, 2}}) {
    Floats weight(static_cast<std::size_t>(element_count(shape)));
    for (std::size_t i = 0; i < weight.size(); ++i)
      weight[i] = static_cast<float>(2 * random.normal(i));
    for (const Json& axis :
         {Json(0), Json(-1), Json(nullptr), Json::array({0, -2}), Json::array()}) {
      if (axis.size() == 2 && shape.size() < 3) continue;
      for (const char* name : {"MaxNorm", "UnitNorm", "MinMaxNorm"}) {
        const Json json = {{"class_name", name}, {"config", {{"axis", axis}}}};
        const Floats whole = constrained(json, shape, weight);
        EXPECT_NE(whole, weight);
        for (const int parts : {2, 3, 4, 9})
          EXPECT_EQ(constrained(json, shape, weight, parts), whole) << json.dump() << parts;
      }
    }
    EXPECT_EQ(constrained("non_neg", shape, weight, 3), constrained("non_neg", shape, weight));
  }
}

}  // namespace
}  // namespace lockstep
