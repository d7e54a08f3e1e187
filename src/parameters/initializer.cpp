#include "src/parameters/initializer.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

#include "src/core/error.hpp"
#include "src/core/keras_config.hpp"
#include "src/parameters/random_fill.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;
using Pointer = std::shared_ptr<const Initializer>;

Json keras_json(std::string_view class_name, Json config) {
  return {{"class_name", class_name}, {"config", std::move(config)}};
}

/// Keras's seed is kept for files; the numbers come from the caller's stream.
Json read_seed(KerasConfig& config) {
  const Json* seed = config.find("seed");
  return seed == nullptr ? Json() : *seed;
}

// --- Initializers ---

/// Zeros, Ones and Constant.
class Constant final : public Initializer {
 public:
  Constant(std::string_view class_name, double value) : class_name_(class_name), value_(value) {}

  void fill(std::span<float> values, const Shape&, const RandomStream&) const override {
    std::ranges::fill(values, static_cast<float>(value_));
  }
  Json to_json() const override {
    Json config = Json::object();
    if (class_name_ == "Constant") config["value"] = value_;
    return keras_json(class_name_, std::move(config));
  }

 private:
  std::string class_name_;
  double value_;
};

class Identity final : public Initializer {
 public:
  explicit Identity(double gain) : gain_(gain) {}

  void fill(std::span<float> values, const Shape& shape, const RandomStream&) const override {
    check(shape.size() == 2, ExitCode::kBadData, "[identity] expected a matrix, got shape {}",
          to_string(shape));
    const auto columns = static_cast<std::size_t>(shape[1]);
    const auto diagonal = static_cast<std::size_t>(std::min(shape[0], shape[1]));
    std::ranges::fill(values, 0.0f);
    for (std::size_t i = 0; i < diagonal; ++i) values[i * columns + i] = static_cast<float>(gain_);
  }
  Json to_json() const override { return keras_json("Identity", {{"gain", gain_}}); }

 private:
  double gain_;
};

class RandomUniform final : public Initializer {
 public:
  RandomUniform(double low, double high, Json seed)
      : low_(low), high_(high), seed_(std::move(seed)) {}

  void fill(std::span<float> values, const Shape&, const RandomStream& random) const override {
    fill_uniform(values, low_, high_, random);
  }
  Json to_json() const override {
    return keras_json("RandomUniform", {{"minval", low_}, {"maxval", high_}, {"seed", seed_}});
  }

 private:
  double low_;
  double high_;
  Json seed_;
};

/// RandomNormal and TruncatedNormal.
class Normal final : public Initializer {
 public:
  Normal(bool truncated, double mean, double stddev, Json seed)
      : truncated_(truncated), mean_(mean), stddev_(stddev), seed_(std::move(seed)) {}

  void fill(std::span<float> values, const Shape&, const RandomStream& random) const override {
    (truncated_ ? fill_truncated_normal : fill_normal)(values, mean_, stddev_, random);
  }
  Json to_json() const override {
    return keras_json(truncated_ ? "TruncatedNormal" : "RandomNormal",
                      {{"mean", mean_}, {"stddev", stddev_}, {"seed", seed_}});
  }

 private:
  bool truncated_;
  double mean_;
  double stddev_;
  Json seed_;
};

class Orthogonal final : public Initializer {
 public:
  Orthogonal(double gain, Json seed) : gain_(gain), seed_(std::move(seed)) {}

  void fill(std::span<float> values, const Shape& shape,
            const RandomStream& random) const override {
    check(shape.size() >= 2, ExitCode::kBadData,
          "[orthogonal] expected a weight of at least 2 axes, got shape {}", to_string(shape));
    const std::int64_t columns = shape.back();
    const std::int64_t rows = element_count(Shape(shape.begin(), shape.end() - 1));
    fill_orthogonal(values, rows, columns, gain_, random);
  }
  Json to_json() const override {
    return keras_json("Orthogonal", {{"gain", gain_}, {"seed", seed_}});
  }

 private:
  double gain_;
  Json seed_;
};

/// VarianceScaling and its six named settings.
class VarianceScaling final : public Initializer {
 public:
  struct Settings {
    double scale = 1;
    std::string mode = "fan_in";
    std::string distribution = "truncated_normal";
  };
  VarianceScaling(std::string_view class_name, Settings settings, Json seed)
      : class_name_(class_name), settings_(std::move(settings)), seed_(std::move(seed)) {}

  void fill(std::span<float> values, const Shape& shape,
            const RandomStream& random) const override {
    // The standard deviation of a unit normal number cut off at -2 and 2.
    constexpr double kTruncatedStddev = 0.87962566103423978;
    const double variance = settings_.scale / std::max(1.0, fan(shape));
    if (settings_.distribution == "uniform") {
      const double limit = std::sqrt(3 * variance);
      fill_uniform(values, -limit, limit, random);
    } else if (settings_.distribution == "untruncated_normal") {
      fill_normal(values, 0, std::sqrt(variance), random);
    } else {
      fill_truncated_normal(values, 0, std::sqrt(variance) / kTruncatedStddev, random);
    }
  }
  Json to_json() const override {
    Json config;
    if (class_name_ == "VarianceScaling") {
      config["scale"] = settings_.scale;
      config["mode"] = settings_.mode;
      config["distribution"] = settings_.distribution;
    }
    config["seed"] = seed_;
    return keras_json(class_name_, std::move(config));
  }

 private:
  double fan(const Shape& shape) const {
    double in = 1;
    double out = 1;
    if (shape.size() == 1) in = out = static_cast<double>(shape[0]);
    if (shape.size() >= 2) {
      const Shape window(shape.begin(), shape.end() - 2);
      const auto receptive_field = static_cast<double>(element_count(window));
      in = static_cast<double>(shape[shape.size() - 2]) * receptive_field;
      out = static_cast<double>(shape.back()) * receptive_field;
    }
    if (settings_.mode == "fan_in") return in;
    if (settings_.mode == "fan_out") return out;
    return (in + out) / 2;
  }

  std::string class_name_;
  Settings settings_;
  Json seed_;
};

// --- From JSON ---

template <int kValue>
Pointer make_filled(std::string_view class_name, KerasConfig&) {
  return std::make_shared<Constant>(class_name, kValue);
}

Pointer make_constant(std::string_view class_name, KerasConfig& config) {
  return std::make_shared<Constant>(class_name, config.number("value", 0.0));
}

Pointer make_identity(std::string_view, KerasConfig& config) {
  return std::make_shared<Identity>(config.number("gain", 1.0));
}

Pointer make_orthogonal(std::string_view, KerasConfig& config) {
  const double gain = config.number("gain", 1.0);
  return std::make_shared<Orthogonal>(gain, read_seed(config));
}

Pointer make_random_uniform(std::string_view, KerasConfig& config) {
  const double low = config.number("minval", -0.05);
  const double high = config.number("maxval", 0.05);
  if (low > high)
    config.object_to("minval", "minval <= maxval", fmt::format("{} and {}", low, high));
  return std::make_shared<RandomUniform>(low, high, read_seed(config));
}

template <bool kTruncated>
Pointer make_normal(std::string_view, KerasConfig& config) {
  const double mean = config.number("mean", 0.0);
  const double stddev = config.number("stddev", 0.05, kNotNegative);
  return std::make_shared<Normal>(kTruncated, mean, stddev, read_seed(config));
}

Pointer make_variance_scaling(std::string_view class_name, KerasConfig& config) {
  VarianceScaling::Settings settings;
  settings.scale = config.number("scale", settings.scale, kPositive);
  settings.mode = config.word("mode", settings.mode, {"fan_in", "fan_out", "fan_avg"});
  settings.distribution =
      config.word("distribution", settings.distribution,
                  {"uniform", "truncated_normal", "untruncated_normal", "normal"});
  if (settings.distribution == "normal") settings.distribution = "truncated_normal";
  return std::make_shared<VarianceScaling>(class_name, std::move(settings), read_seed(config));
}

Pointer make_named_scaling(std::string_view class_name, KerasConfig& config) {
  VarianceScaling::Settings settings;
  if (class_name.starts_with("Glorot")) settings.mode = "fan_avg";
  if (class_name.starts_with("He")) settings.scale = 2;
  if (class_name.ends_with("Uniform")) settings.distribution = "uniform";
  return std::make_shared<VarianceScaling>(class_name, std::move(settings), read_seed(config));
}

struct Known {
  std::string_view name;
  std::string_view class_name;
  Pointer (*make)(std::string_view class_name, KerasConfig& config);
  std::string_view other_name = {};
};
constexpr Known kKnown[] = {
    {"zeros", "Zeros", make_filled<0>, "zero"},
    {"ones", "Ones", make_filled<1>, "one"},
    {"constant", "Constant", make_constant},
    {"identity", "Identity", make_identity, "IdentityInitializer"},
    {"glorot_uniform", "GlorotUniform", make_named_scaling},
    {"glorot_normal", "GlorotNormal", make_named_scaling},
    {"he_uniform", "HeUniform", make_named_scaling},
    {"he_normal", "HeNormal", make_named_scaling},
    {"lecun_uniform", "LecunUniform", make_named_scaling},
    {"lecun_normal", "LecunNormal", make_named_scaling},
    {"variance_scaling", "VarianceScaling", make_variance_scaling},
    {"random_uniform", "RandomUniform", make_random_uniform, "uniform"},
    {"random_normal", "RandomNormal", make_normal<false>, "normal"},
    {"truncated_normal", "TruncatedNormal", make_normal<true>},
    {"orthogonal", "Orthogonal", make_orthogonal, "OrthogonalInitializer"},
};

}  // namespace

Pointer make_initializer(const std::string& name) {
  return make_initializer(Json(name));
}

Pointer make_initializer(const Json& json) {
  const KerasObject object = keras_object(json, "initializer");
  std::string names;
  for (const Known& known : kKnown) {
    if (object.name == known.name || object.name == known.class_name ||
        object.name == known.other_name) {
      KerasConfig config(object.config, settings_of(known.name));
      config.expect_float32();
      Pointer initializer = known.make(known.class_name, config);
      // The newest Keras 3 writes the axes that count as inputs and outputs.
      config.expect("input_axes", nullptr);
      config.expect("output_axes", nullptr);
      config.finish();
      return initializer;
    }
    names += names.empty() ? "" : ", ";
    names += known.name;
  }
  fail(ExitCode::kBadData, "[initializer] expected one of {}, got '{}'", names, object.name);
}

}  // namespace lockstep
