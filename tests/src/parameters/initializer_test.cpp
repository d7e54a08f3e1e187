#include "src/parameters/initializer.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "tests/src/model/expect_error.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;

const RandomStream kRandom(42, Purpose::kInitializer, 0, 1);

std::vector<float> filled(const Initializer& initializer, const Shape& shape,
                          const RandomStream& random = kRandom) {
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)), -99.0f);
  initializer.fill(values, shape, random);
  return values;
}

std::vector<float> filled(const std::string& name, const Shape& shape) {
  return filled(*make_initializer(name), shape);
}

std::vector<float> filled_from(const char* text, const Shape& shape) {
  return filled(*make_initializer(Json::parse(text)), shape);
}

struct Moments {
  double mean = 0;
  double variance = 0;
  double largest = 0;
};

Moments moments(const std::vector<float>& values) {
  Moments result;
  const auto n = static_cast<double>(values.size());
  for (const double x : values) {
    result.mean += x / n;
    result.largest = std::max(result.largest, std::abs(x));
  }
  for (const double x : values) result.variance += (x - result.mean) * (x - result.mean) / n;
  return result;
}

TEST(Initializer, GlorotUniformHasTheReferenceNetworksLimits) {
  struct Case {
    Shape shape;
    double limit;
  };
  for (const auto& [shape, limit] :
       {Case{{784, 64}, 0.084116}, Case{{64, 32}, 0.25}, Case{{32, 10}, 0.377964}}) {
    const Moments found = moments(filled("glorot_uniform", shape));
    EXPECT_LE(found.largest, limit + 1e-6);
    EXPECT_GT(found.largest, 0.98 * limit);
    const auto n = static_cast<double>(element_count(shape));
    EXPECT_NEAR(found.mean, 0, 5 * limit / std::sqrt(3 * n));
    EXPECT_NEAR(found.variance, limit * limit / 3, limit * limit * 5 * std::sqrt(4 / (45 * n)));
  }
}

TEST(Initializer, NamedScalingsHaveTheirVariance) {
  struct Case {
    const char* name;
    double variance;
    double largest;  // in standard deviations of the result
  };
  const double in = 300;
  const double out = 200;
  const double uniform = std::sqrt(3.0);
  const double truncated = 2 / 0.87962566103423978;
  for (const auto& [name, variance, largest] :
       {Case{"glorot_uniform", 2 / (in + out), uniform},
        Case{"glorot_normal", 2 / (in + out), truncated}, Case{"he_uniform", 2 / in, uniform},
        Case{"he_normal", 2 / in, truncated}, Case{"lecun_uniform", 1 / in, uniform},
        Case{"lecun_normal", 1 / in, truncated}}) {
    const Moments found = moments(filled(name, {300, 200}));
    EXPECT_NEAR(found.variance / variance, 1, 0.02) << name;
    EXPECT_LE(found.largest, largest * std::sqrt(variance) * (1 + 1e-6)) << name;
    EXPECT_GT(found.largest, largest * std::sqrt(variance) * 0.99) << name;
  }
}

TEST(Initializer, FansCountTheReceptiveFieldOfAConvolution) {
  // 3 x 3, 10 -> 40 channels: fan_in 90, fan_out 360.
  const auto variance = [](const char* mode) {
    const Json json = {{"class_name", "VarianceScaling"},
                       {"config", {{"mode", mode}, {"distribution", "untruncated_normal"}}}};
    return moments(filled(*make_initializer(json), {3, 3, 10, 40})).variance;
  };
  EXPECT_NEAR(variance("fan_in") * 90, 1, 0.12);
  EXPECT_NEAR(variance("fan_out") * 360, 1, 0.12);
  EXPECT_NEAR(variance("fan_avg") * 225, 1, 0.12);
}

TEST(Initializer, FansOfAVectorAreItsLength) {
  const Moments found = moments(filled("glorot_uniform", {3000}));
  EXPECT_NEAR(found.largest, std::sqrt(6.0 / 6000), 1e-4);
}

TEST(Initializer, RandomOnesHaveKerassDefaultsAndSettings) {
  const Moments uniform = moments(filled("uniform", {200, 100}));
  EXPECT_LE(uniform.largest, 0.05);
  EXPECT_GT(uniform.largest, 0.0499);
  EXPECT_NEAR(std::sqrt(moments(filled("normal", {200, 100})).variance), 0.05, 0.002);
  const Moments truncated = moments(filled("truncated_normal", {200, 100}));
  EXPECT_LE(truncated.largest, 0.1f);  // two standard deviations, not corrected
  EXPECT_NEAR(std::sqrt(truncated.variance), 0.05 * 0.8796, 0.002);
  const Moments moved = moments(filled_from(
      R"({"class_name": "RandomNormal", "config": {"mean": 3.0, "stddev": 0.5, "seed": 1}})",
      {200, 100}));
  EXPECT_NEAR(moved.mean, 3, 0.02);
  EXPECT_NEAR(moved.variance, 0.25, 0.02);
}

TEST(Initializer, FilledOnesAreConstant) {
  EXPECT_EQ(filled("zeros", {2, 2}), (std::vector<float>{0, 0, 0, 0}));
  EXPECT_EQ(filled("ones", {3}), (std::vector<float>{1, 1, 1}));
  EXPECT_EQ(filled("constant", {2}), (std::vector<float>{0, 0}));
  EXPECT_EQ(filled_from(R"({"class_name": "Constant", "config": {"value": 2.5}})", {2}),
            (std::vector<float>{2.5, 2.5}));
  EXPECT_EQ(filled("identity", {2, 3}), (std::vector<float>{1, 0, 0, 0, 1, 0}));
  EXPECT_EQ(filled("zeros", {0, 3}), std::vector<float>{});
}

double row_product(const std::vector<float>& a, std::size_t columns, std::size_t i, std::size_t j) {
  double sum = 0;
  for (std::size_t k = 0; k < columns; ++k)
    sum += static_cast<double>(a[i * columns + k]) * static_cast<double>(a[j * columns + k]);
  return sum;
}

double column_product(const std::vector<float>& a, std::size_t rows, std::size_t columns,
                      std::size_t i, std::size_t j) {
  double sum = 0;
  for (std::size_t k = 0; k < rows; ++k)
    sum += static_cast<double>(a[k * columns + i]) * static_cast<double>(a[k * columns + j]);
  return sum;
}

TEST(Initializer, OrthogonalHasOrthonormalRowsOrColumns) {
  const std::vector<float> tall = filled("orthogonal", {37, 11});
  for (std::size_t i = 0; i < 11; ++i)
    for (std::size_t j = 0; j < 11; ++j)
      EXPECT_NEAR(column_product(tall, 37, 11, i, j), i == j, 1e-6);
  const std::vector<float> wide = filled("orthogonal", {11, 37});
  for (std::size_t i = 0; i < 11; ++i)
    for (std::size_t j = 0; j < 11; ++j) EXPECT_NEAR(row_product(wide, 37, i, j), i == j, 1e-6);
  const std::vector<float> window = filled_from(
      R"({"class_name": "Orthogonal", "config": {"gain": 2.0, "seed": null}})", {3, 3, 2, 5});
  for (std::size_t i = 0; i < 5; ++i)
    for (std::size_t j = 0; j < 5; ++j)
      EXPECT_NEAR(column_product(window, 18, 5, i, j), 4 * (i == j), 1e-5);
}

TEST(Initializer, OrthogonalTakesBothSigns) {
  // R has a positive diagonal, which leaves the signs of Q to the random matrix.
  const std::vector<float> one = filled("orthogonal", {64, 64});
  int positive = 0;
  for (std::size_t j = 0; j < 64; ++j) positive += one[j] > 0;
  EXPECT_NEAR(positive, 32, 20);
}

TEST(Initializer, IsAPureFunctionOfTheStream) {
  for (const char* name : {"glorot_uniform", "he_normal", "random_normal", "orthogonal"}) {
    const auto initializer = make_initializer(std::string(name));
    const std::vector<float> first = filled(*initializer, {7, 5});
    EXPECT_EQ(filled(*initializer, {7, 5}), first) << name;
    EXPECT_NE(filled(*initializer, {7, 5}, RandomStream(43, Purpose::kInitializer, 0, 1)), first)
        << name;
    EXPECT_NE(filled(*initializer, {7, 5}, RandomStream(42, Purpose::kInitializer, 0, 2)), first)
        << name;
  }
}

TEST(Initializer, TruncatedNormalNeverRepeatsAcrossElements) {
  const std::vector<float> values = filled("truncated_normal", {5000});
  std::vector<float> sorted = values;
  std::ranges::sort(sorted);
  const auto distinct = std::unique(sorted.begin(), sorted.end()) - sorted.begin();
  EXPECT_GT(distinct, 4980);
}

TEST(Initializer, RoundTripsThroughJsonWithItsSettings) {
  for (const char* text :
       {R"({"class_name":"GlorotUniform","config":{"seed":null}})",
        R"({"class_name":"HeNormal","config":{"seed":7}})",
        R"({"class_name":"LecunUniform","config":{"seed":null}})",
        R"({"class_name":"Zeros","config":{}})", R"({"class_name":"Ones","config":{}})",
        R"({"class_name":"Constant","config":{"value":0.1}})",
        R"({"class_name":"Identity","config":{"gain":2.0}})",
        R"({"class_name":"RandomUniform","config":{"minval":-0.1,"maxval":0.2,"seed":3}})",
        R"({"class_name":"RandomNormal","config":{"mean":0.5,"stddev":0.1,"seed":null}})",
        R"({"class_name":"TruncatedNormal","config":{"mean":0.0,"stddev":0.05,"seed":null}})",
        R"({"class_name":"Orthogonal","config":{"gain":1.5,"seed":null}})",
        R"({"class_name":"VarianceScaling","config":{"scale":3.0,"mode":"fan_out",)"
        R"("distribution":"untruncated_normal","seed":null}})"}) {
    EXPECT_EQ(make_initializer(Json::parse(text))->to_json().dump(), text);
  }
}

TEST(Initializer, NamesAndClassesMeanTheSame) {
  for (const auto& [name, class_name] :
       {std::pair{"glorot_uniform", "GlorotUniform"}, std::pair{"zeros", "Zeros"},
        std::pair{"uniform", "RandomUniform"}, std::pair{"random_normal", "RandomNormal"},
        std::pair{"normal", "RandomNormal"}, std::pair{"orthogonal", "OrthogonalInitializer"},
        std::pair{"variance_scaling", "VarianceScaling"}}) {
    const Json by_class = {{"class_name", class_name}, {"config", Json::object()}};
    EXPECT_EQ(make_initializer(std::string(name))->to_json(),
              make_initializer(by_class)->to_json());
  }
}

TEST(Initializer, ReadsKeras3) {
  const Json json = Json::parse(
      R"({"module": "keras.initializers", "class_name": "GlorotUniform", "registered_name": null,
          "config": {"seed": null, "input_axes": null, "output_axes": null}})");
  EXPECT_EQ(make_initializer(json)->to_json().dump(),
            R"({"class_name":"GlorotUniform","config":{"seed":null}})");
}

TEST(Initializer, RefusesByNameWhatLockstepLacks) {
  const auto refused = [](const char* text, const char* message) {
    expect_error(
        ExitCode::kBadData, [&] { make_initializer(Json::parse(text)); }, HasSubstr(message));
  };
  refused(R"("stft")", "[initializer] expected one of zeros, ones, ");
  refused(R"("stft")", "got 'stft'");
  refused(R"({"class_name": "GlorotUniform", "config": {"scale": 2}})",
          "[glorot_uniform] scale: expected no such key, got 2");
  refused(R"({"class_name": "VarianceScaling", "config": {"mode": "fan"}})", "got 'fan'");
  refused(R"({"class_name": "VarianceScaling", "config": {"distribution": "beta"}})", "got 'beta'");
  refused(R"({"class_name": "VarianceScaling", "config": {"scale": 0}})",
          "scale: expected a number > 0, got 0");
  refused(R"({"class_name": "RandomUniform", "config": {"minval": 2}})", "minval <= maxval");
  refused(R"({"class_name": "RandomNormal", "config": {"stddev": -1}})", "got -1");
}

TEST(Initializer, RefusesShapesThatItDoesNotFit) {
  expect_error(
      ExitCode::kBadData, [] { filled("identity", {4}); },
      HasSubstr("[identity] expected a matrix, got shape (4)"));
  expect_error(
      ExitCode::kBadData, [] { filled("orthogonal", {4}); },
      HasSubstr("at least 2 axes, got shape (4)"));
}

}  // namespace
}  // namespace lockstep
