#include "tests/random/configuration.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

#include "tests/random/draw.hpp"

namespace lockstep::test {
namespace {

using Json = nlohmann::ordered_json;

/// What a network ends in, and the targets that its loss wants.
struct Task {
  std::string loss;
  std::int64_t columns = 1;
  bool classes = false;  ///< targets are class indices
  bool unit = false;     ///< targets lie in [0, 1]
};

std::string activation(Draw& draw) {
  return draw.pick<const char*>({"relu", "sigmoid", "tanh", "softmax", "elu", "selu", "gelu",
                                 "silu", "softplus", "leaky_relu", "linear"});
}

std::string dense(Draw& draw, std::int64_t units, const std::string& function) {
  std::string text = fmt::format("Dense({}, {}", units, function);
  if (draw.chance(0.3)) {
    text += fmt::format(
        ", kernel_initializer={}",
        draw.pick<const char*>({"he_normal", "he_uniform", "glorot_normal", "lecun_normal",
                                "lecun_uniform", "random_normal", "random_uniform",
                                "truncated_normal", "orthogonal", "variance_scaling", "ones"}));
  }
  if (draw.chance(0.15))
    text += ", use_bias=False";
  else if (draw.chance(0.15))
    text += ", bias_initializer=random_uniform";
  if (draw.chance(0.2)) {
    text += fmt::format(
        ", kernel_regularizer={}",
        draw.pick<const char*>({"l2", "l1", "l2(1e-4)", "l1(1e-3)", "l1_l2(1e-4, 1e-3)"}));
  }
  if (draw.chance(0.05)) text += ", bias_regularizer=l2";
  if (draw.chance(0.1)) {
    text += fmt::format(", kernel_constraint={}",
                        draw.pick<const char*>({"max_norm(1)", "non_neg", "UnitNorm(axis=1)",
                                                "MinMaxNorm(0.5, 1.5, rate=0.5, axis=[0, 1])"}));
  }
  if (draw.chance(0.05)) text += ", bias_constraint=max_norm(0.5)";
  if (draw.chance(0.1)) {
    text += fmt::format(", activity_regularizer={}",
                        draw.pick<const char*>({"l2(1e-3)", "l1(1e-4)", "L1L2(1e-4, 1e-3)"}));
  }
  return text + ")";
}

Task draw_task(Draw& draw) {
  switch (draw.below(6)) {
    case 0:
    case 1:
      return {"sparse_categorical_crossentropy", draw.pick<std::int64_t>({2, 3, 5, 10}), true,
              false};
    case 2:
      return {"categorical_crossentropy", draw.pick<std::int64_t>({2, 3, 7}), false, true};
    case 3:
      return {draw.pick<const char*>({"binary_crossentropy", "binary_focal_crossentropy"}),
              draw.pick<std::int64_t>({1, 2, 5}), false, true};
    default:
      return {draw.pick<const char*>({"mean_squared_error", "mean_absolute_error", "huber",
                                      "log_cosh", "cosine_similarity", "msle", "mape"}),
              draw.pick<std::int64_t>({1, 2, 3, 8}), false, false};
  }
}

/// The layers; sets the loss.
std::string draw_layers(Draw& draw, const Task& task, const TypedRows& x, Json& loss) {
  std::vector<std::string> layers;
  if (is_integer(x.type) || draw.chance(0.1)) {
    layers.emplace_back(draw.pick<const char*>({"Rescaling(1/255)", "Rescaling(1/64, -0.5)"}));
  }
  if (x.row_shape.size() > 1) layers.emplace_back("Flatten()");
  for (std::uint64_t depth = draw.below(5); depth > 0; --depth) {
    const auto units = draw.pick<std::int64_t>({1, 2, 3, 5, 8, 13, 16, 17, 31, 32, 33, 48, 64});
    layers.push_back(dense(draw, units, activation(draw)));
    if (draw.chance(0.25)) {
      layers.push_back(fmt::format("Dropout({})", draw.pick({0.0, 0.1, 0.25, 0.5, 0.9})));
    }
    if (draw.chance(0.1)) layers.push_back(fmt::format("Activation({})", activation(draw)));
    if (draw.chance(0.05)) layers.emplace_back("ActivityRegularization(1e-4, 1e-3)");
  }
  const bool logits = draw.chance(0.3);
  const bool crossentropy = task.loss.ends_with("crossentropy");
  std::string last = crossentropy ? (task.loss.starts_with("binary") ? "sigmoid" : "softmax")
                                  : draw.pick<const char*>({"linear", "linear", "tanh", "gelu"});
  loss = task.loss;
  if (crossentropy && logits) {
    const std::string name = task.loss.starts_with("sparse")      ? "SparseCategoricalCrossentropy"
                             : task.loss == "binary_crossentropy" ? "BinaryCrossentropy"
                             : task.loss.starts_with("binary")    ? "BinaryFocalCrossentropy"
                                                                  : "CategoricalCrossentropy";
    last = "linear";
    loss = {{"class_name", name}, {"config", {{"from_logits", true}}}};
  }
  layers.push_back(dense(draw, task.columns, last));
  return fmt::format("{}", fmt::join(layers, ", "));
}

Json draw_rate(Draw& draw) {
  const double rate = draw.pick({0.1, 0.01, 0.001, 1e-5});
  switch (draw.below(6)) {
    case 0:
      return {{"class_name", "ExponentialDecay"},
              {"config",
               {{"initial_learning_rate", rate},
                {"decay_steps", draw.pick({1, 7, 100})},
                {"decay_rate", draw.pick({0.5, 0.9, 0.99})},
                {"staircase", draw.chance(0.5)}}}};
    case 1:
      return {{"class_name", "PiecewiseConstantDecay"},
              {"config", {{"boundaries", {2, 5}}, {"values", {rate, rate / 2, rate / 10}}}}};
    case 2:
      return {{"class_name", "CosineDecay"},
              {"config",
               {{"initial_learning_rate", rate / 10},
                {"decay_steps", draw.pick({10, 50})},
                {"alpha", 0.1},
                {"warmup_target", rate},
                {"warmup_steps", draw.pick({1, 4})}}}};
    default:
      return rate;
  }
}

/// What every optimizer can be set to.
void draw_common_settings(Draw& draw, Json& config) {
  if (draw.chance(0.15)) config["weight_decay"] = draw.pick({0.1, 1e-3});
  if (draw.chance(0.1)) config["clipvalue"] = draw.pick({1e-3, 0.5});
  if (draw.chance(0.2)) {
    config[draw.pick<const char*>({"clipnorm", "global_clipnorm"})] = draw.pick({1e-3, 0.5});
  }
  if (draw.chance(0.15)) {
    config["use_ema"] = true;
    config["ema_momentum"] = draw.pick({0.5, 0.99});
    if (draw.chance(0.5)) config["ema_overwrite_frequency"] = 2;
  }
  if (draw.chance(0.15)) config["gradient_accumulation_steps"] = draw.pick({2, 3});
}

Json draw_optimizer(Draw& draw) {
  Json config = {{"learning_rate", draw_rate(draw)}};
  draw_common_settings(draw, config);
  if (draw.chance(0.3))
    return {
        {"class_name", draw.pick<const char*>({"RMSprop", "Adagrad", "Adadelta", "Adamax", "Nadam",
                                               "AdamW", "Lion", "Ftrl", "Lamb", "LARS"})},
        {"config", config}};
  if (draw.chance(0.35)) {
    if (draw.chance(0.6)) config["momentum"] = draw.pick({0.5, 0.9});
    if (draw.chance(0.3)) config["nesterov"] = true;
    return {{"class_name", "SGD"}, {"config", config}};
  }
  if (draw.chance(0.3)) config["amsgrad"] = true;
  if (draw.chance(0.2)) config["beta_1"] = draw.pick({0.0, 0.5, 0.99});
  if (draw.chance(0.2)) config["beta_2"] = draw.pick({0.9, 0.9999});
  if (draw.chance(0.2)) config["epsilon"] = draw.pick({1e-8, 1e-3});
  return {{"class_name", "Adam"}, {"config", config}};
}

Json draw_metrics(Draw& draw, const Task& task) {
  Json metrics = Json::array();
  const bool crossentropy = task.loss.ends_with("crossentropy");
  if (crossentropy && draw.chance(0.7)) metrics.push_back("accuracy");
  if (task.classes && draw.chance(0.3)) metrics.push_back("sparse_top_k_categorical_accuracy");
  if (!task.classes && draw.chance(0.3)) metrics.push_back("mean_squared_error");
  if (!task.classes && draw.chance(0.3)) metrics.push_back("mean_absolute_error");
  if (!task.classes && draw.chance(0.3))
    metrics.push_back(draw.pick<const char*>({"auc", "recall"}));
  if (!task.classes && draw.chance(0.2)) metrics.push_back("rmse");
  return metrics;
}

/// `value` is called for every element in turn.
template <class Value>
TypedRows typed_rows(ElementType type, Shape row_shape, std::int64_t rows, const Value& value) {
  TypedRows array{type, std::move(row_shape), rows, {}};
  const std::int64_t elements = rows * element_count(array.row_shape);
  array.bytes.resize(static_cast<std::size_t>(elements) * element_size(type));
  with_element_type(type, [&]<class T>() {
    for (std::int64_t i = 0; i < elements; ++i) {
      const T element = static_cast<T>(value());
      std::memcpy(array.bytes.data() + static_cast<std::size_t>(i) * sizeof(T), &element,
                  sizeof(T));
    }
  });
  return array;
}

TypedRows draw_x(Draw& draw, std::int64_t rows) {
  const auto type = draw.pick({ElementType::kUint8, ElementType::kFloat32, ElementType::kFloat32,
                               ElementType::kFloat64, ElementType::kInt8, ElementType::kInt16,
                               ElementType::kUint16, ElementType::kInt32, ElementType::kInt64});
  Shape shape = {draw.pick<std::int64_t>({1, 2, 3, 5, 8, 16, 17, 33})};
  if (draw.chance(0.2)) shape = {draw.pick<std::int64_t>({1, 4}), draw.pick<std::int64_t>({3, 5})};
  return typed_rows(type, shape, rows, [&]() -> double {
    return is_integer(type) ? static_cast<double>(draw.below(100)) : 2 * draw.number();
  });
}

TypedRows draw_y(Draw& draw, const Task& task, std::int64_t rows) {
  if (task.classes) {
    const auto type = draw.pick({ElementType::kUint8, ElementType::kInt32, ElementType::kInt64,
                                 ElementType::kFloat32, ElementType::kFloat64});
    const Shape shape = draw.chance(0.2) ? Shape{1} : Shape{};
    return typed_rows(type, shape, rows, [&] {
      return static_cast<double>(draw.below(static_cast<std::uint64_t>(task.columns)));
    });
  }
  const auto type = draw.pick({ElementType::kFloat32, ElementType::kFloat64});
  const Shape shape = task.columns == 1 && draw.chance(0.5) ? Shape{} : Shape{task.columns};
  std::uint64_t element = 0;
  std::uint64_t hot = 0;
  return typed_rows(type, shape, rows, [&]() -> double {
    const auto columns = static_cast<std::uint64_t>(task.columns);
    if (!task.unit) return draw.number();
    if (task.loss.starts_with("binary")) return draw.chance(0.4) ? 1 : 0;
    if (element % columns == 0) hot = draw.below(columns);
    return element++ % columns == hot ? 1 : 0;
  });
}

void draw_options(Draw& draw, std::int64_t rows, Configuration& c) {
  TrainOptions& o = c.options;
  o.epochs = draw.pick<std::int64_t>({1, 2, 3, 4});
  o.batch_size = draw.pick<std::int64_t>({1, 2, 3, 5, 8, 16, 31, 32, 64, 200});
  o.grain = draw.pick<std::int64_t>({0, 0, 1, 2, 3, 4, 8, 50});
  o.shuffle = draw.chance(0.8);
  o.seed = draw.below(1000);
  o.validation_freq = draw.pick<std::int64_t>({1, 1, 2, 3});
  o.validation_batch_size = draw.pick<std::int64_t>({0, 0, 1, 7});
  o.steps_per_epoch = draw.pick<std::int64_t>({0, 0, 1, 3, 10});
  const std::int64_t batches = (rows + o.batch_size - 1) / o.batch_size;
  if (batches > 20) o.steps_per_epoch = draw.pick<std::int64_t>({1, 7, 20});  // else too slow
  if (rows > 1 && draw.chance(0.4)) {
    o.validation_split = draw.pick({0.1, 0.25, 0.5, 0.8});
  } else if (rows > 1 && draw.chance(0.3)) {
    c.validation_rows =
        1 + static_cast<std::int64_t>(draw.below(static_cast<std::uint64_t>(rows) / 2));
  }
  const bool validates = o.validation_split > 0 || c.validation_rows > 0;
  if (draw.chance(0.25)) {
    c.early_stopping =
        EarlyStopping::Options{.monitor = validates && o.validation_freq == 1 ? "val_loss" : "loss",
                               .min_delta = draw.pick({0.0, 0.01}),
                               .patience = draw.pick<std::int64_t>({0, 1}),
                               .restore_best_weights = draw.chance(0.5)};
  }
}

/// One mistake, which every variant must answer alike.
void spoil(Draw& draw, Configuration& c) {
  const auto set = [&](TypedRows& array, double value) {
    const std::size_t elements = array.bytes.size() / element_size(array.type);
    const std::size_t place = static_cast<std::size_t>(draw.below(elements));
    with_element_type(array.type, [&]<class T>() {
      const T element = static_cast<T>(value);
      std::memcpy(array.bytes.data() + place * sizeof(T), &element, sizeof(T));
    });
  };
  switch (draw.below(7)) {
    case 0:
      return set(c.y, is_integer(c.y.type) ? 100 : std::numeric_limits<double>::quiet_NaN());
    case 1:
      return set(c.x, is_integer(c.x.type) ? 1 : std::numeric_limits<double>::infinity());
    case 2:
      c.optimizer = {{"class_name", "SGD"}, {"config", {{"learning_rate", 1e30}}}};
      return;
    case 3:
      c.options.batch_size = 0;
      return;
    case 4:
      c.options.validation_split = 0.999;
      c.validation_rows = 0;
      return;
    case 5:
      c.layers += ", Dense(11)";
      return;
    default:
      c.early_stopping = EarlyStopping::Options{.monitor = "val_nothing"};
  }
}

std::string list(const std::vector<bool>& members) {
  std::vector<std::size_t> ranks;
  for (std::size_t i = 0; i < members.size(); ++i)
    if (members[i]) ranks.push_back(i);
  return fmt::format("{}", fmt::join(ranks, ","));
}

std::vector<bool> draw_members(Draw& draw, int ranks) {
  const auto count = 1 + draw.below(static_cast<std::uint64_t>(ranks));
  std::vector<bool> members(static_cast<std::size_t>(ranks), false);
  for (std::uint64_t left = count; left > 0;) {
    const auto rank = static_cast<std::size_t>(draw.below(members.size()));
    if (members[rank]) continue;
    members[rank] = true;
    --left;
  }
  return members;
}

}  // namespace

Configuration draw_configuration(std::uint64_t seed) {
  Draw draw(seed);
  Configuration c;
  const auto rows = draw.pick<std::int64_t>({1, 2, 3, 5, 7, 16, 17, 40, 61, 100, 129});
  const Task task = draw_task(draw);
  c.x = draw_x(draw, rows);
  c.y = draw_y(draw, task, rows);
  c.input = c.x.row_shape;
  c.layers = draw_layers(draw, task, c.x, c.loss);
  c.optimizer = draw_optimizer(draw);
  c.metrics = draw_metrics(draw, task);
  draw_options(draw, rows, c);
  if (draw.chance(1.0 / 12)) spoil(draw, c);
  if (draw.chance(0.2))
    c.weights =
        typed_rows(draw.pick({ElementType::kFloat32, ElementType::kFloat64, ElementType::kUint8}),
                   draw.chance(0.5) ? Shape{} : Shape{1}, rows,
                   [&] { return static_cast<double>(draw.below(3)) / 2; });
  return c;
}

std::string Configuration::describe() const {
  return fmt::format(
      "layers \"{}\"; loss {}; metrics {}; optimizer {}; x {} x {} {}, y {} {}; epochs {}, batch "
      "{}, grain {}, seed {}, shuffle {}, steps per epoch {}, validation: split {}, rows {}, freq "
      "{}, batch {}; sample weights {}; early stopping {}",
      layers, loss.dump(), metrics.dump(), optimizer.dump(), x.rows, to_string(x.row_shape),
      to_string(x.type), to_string(y.row_shape), to_string(y.type), options.epochs,
      options.batch_size, options.grain, options.seed, options.shuffle, options.steps_per_epoch,
      options.validation_split, validation_rows, options.validation_freq,
      options.validation_batch_size, weights.rows > 0 ? to_string(weights.type) : "none",
      early_stopping ? fmt::format("{} patience {} restore {}", early_stopping->monitor,
                                   early_stopping->patience, early_stopping->restore_best_weights)
                     : "none");
}

Variant draw_variant(std::uint64_t seed, int number, int ranks, std::int64_t epochs) {
  Variant v;
  v.members.assign(static_cast<std::size_t>(ranks), false);
  v.members[0] = true;
  v.later_members = v.members;
  if (number == 0) return v;
  Draw draw(seed, static_cast<std::uint32_t>(number));
  v.members = draw_members(draw, ranks);
  v.later_members = draw_members(draw, ranks);
  if (epochs > 1 && draw.chance(0.5)) {
    v.stop_after =
        1 + static_cast<std::int64_t>(draw.below(static_cast<std::uint64_t>(epochs - 1)));
  }
  v.threads = draw.pick({1, 1, 2, 3});
  v.sync = draw.chance(0.5) ? DistributedOptimizer::Strategy::kSharded
                            : DistributedOptimizer::Strategy::kAllreduce;
  v.bucket_floats = draw.pick<std::int64_t>({1, 100, 1 << 20});
  v.validate_on_root = draw.chance(0.3);
  v.check_replicas_every = draw.pick<std::int64_t>({0, 1, 3, 100});
  v.verify_data = draw.chance(0.7);
  v.profile = draw.chance(0.2);
  v.predict_rows = draw.pick<std::int64_t>({1, 3, 32, 1000});
  v.environments = draw.chance(0.5) ? 1 + draw.below(1'000'000) : 0;
  return v;
}

std::string Variant::describe() const {
  const bool sharded = sync == DistributedOptimizer::Strategy::kSharded;
  return fmt::format(
      "ranks {}{}, threads {}, {}, buckets of {}, {}, replicas checked every {}, {}{}predicted by "
      "{}, floating-point environments {}",
      list(members),
      stop_after > 0 ? fmt::format(" until epoch {}, then {}", stop_after, list(later_members))
                     : "",
      threads, sharded ? "sharded" : "allreduce", bucket_floats,
      validate_on_root ? "root validates" : "all validate", check_replicas_every,
      verify_data ? "data verified, " : "", profile ? "profiled, " : "", predict_rows,
      environments);
}

}  // namespace lockstep::test
