#include "src/model/model_json.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/model/layers_text.hpp"
#include "tests/src/model/reference_json.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;
using testing::AllOf;
using testing::HasSubstr;

// As Keras 3 writes it.
constexpr const char* kKeras3 = R"json(
{"module": "keras", "class_name": "Sequential",
 "config": {"name": "sequential", "trainable": true,
   "dtype": {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": null},
   "layers": [
    {"module": "keras.layers", "class_name": "InputLayer",
     "config": {"batch_shape": [32, 28, 28], "dtype": "float32", "sparse": false, "ragged": false, "name": "input_layer", "optional": false}, "registered_name": null},
    {"module": "keras.layers", "class_name": "Rescaling",
     "config": {"name": "rescaling", "trainable": true, "dtype": {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": null},
       "scale": 0.00392156862745098, "offset": 0}, "registered_name": null, "build_config": {"input_shape": [null, 28, 28]}},
    {"module": "keras.layers", "class_name": "Flatten",
     "config": {"name": "flatten", "trainable": true, "dtype": "float32", "data_format": "channels_last"}, "registered_name": null},
    {"module": "keras.layers", "class_name": "Reshape",
     "config": {"name": "reshape", "trainable": true, "dtype": "float32", "target_shape": {"class_name": "__tuple__", "items": [4, -1]}}, "registered_name": null},
    {"module": "keras.layers", "class_name": "Dense",
     "config": {"name": "dense", "trainable": false, "dtype": "float32",
       "units": 8, "activation": {"module": "builtins", "class_name": "function", "config": "silu", "registered_name": "silu"}, "use_bias": false,
       "kernel_initializer": {"module": "keras.initializers", "class_name": "HeNormal", "config": {"seed": null}, "registered_name": null},
       "bias_initializer": {"module": "keras.initializers", "class_name": "Zeros", "config": {}, "registered_name": null},
       "kernel_regularizer": {"module": "keras.regularizers", "class_name": "L2", "config": {"l2": 0.5}, "registered_name": null},
       "bias_regularizer": null, "kernel_constraint": null, "bias_constraint": null, "quantization_config": null},
     "registered_name": null, "build_config": {"input_shape": [null, 4, 196]}},
    {"module": "keras.layers", "class_name": "Dropout",
     "config": {"name": "dropout", "trainable": true, "dtype": "float32", "rate": 0.25, "seed": 42, "noise_shape": null}, "registered_name": null},
    {"module": "keras.layers", "class_name": "Activation",
     "config": {"name": "activation", "trainable": true, "dtype": "float32", "activation": "softmax"}, "registered_name": null}
   ],
   "build_input_shape": [null, 28, 28]},
 "registered_name": null,
 "build_config": {"input_shape": [null, 28, 28]},
 "compile_config": {"optimizer": "adam"}})json";

TEST(ModelJson, Keras2ReferenceNetworkRoundTripsToTheSameText) {
  const Network model = model_from_json_text(kReference);

  EXPECT_TRUE(model.built());
  EXPECT_EQ(model.input_shape(), Shape{784});
  EXPECT_EQ(model.parameter_count(), 52650);
  EXPECT_EQ(model_to_json(model).dump(), ordered_json::parse(kReference).dump());
}

TEST(ModelJson, ReadsWhatKeras3Writes) {
  const Network model = model_from_json_text(kKeras3);

  EXPECT_EQ(model.layers().size(), 7u);
  EXPECT_EQ(model.input_shape(), (Shape{28, 28}));
  EXPECT_EQ(model.output_shape(), (Shape{4, 8}));
  EXPECT_FALSE(model.layers()[4]->trainable());
  EXPECT_EQ(model.layers()[4]->parameters().size(), 1u);
  EXPECT_FALSE(model.layers()[4]->parameters()[0].trained());
  EXPECT_EQ(model.layers()[4]->parameters()[0].regularizer.l2, 0.5f);
}

TEST(ModelJson, Keras3ModelIsWrittenAsKeras2Model) {
  const ordered_json written = model_to_json(model_from_json_text(kKeras3));
  const ordered_json& layers = written["config"]["layers"];

  EXPECT_EQ(layers[0]["config"]["batch_input_shape"], ordered_json::parse("[null, 28, 28]"));
  EXPECT_EQ(layers[0]["config"]["name"], "input_layer");
  EXPECT_EQ(layers[4]["config"]["activation"], "swish");
  EXPECT_EQ(layers[4]["config"]["trainable"], false);
  EXPECT_EQ(layers[4]["config"]["kernel_initializer"],
            ordered_json::parse(R"({"class_name": "HeNormal", "config": {"seed": null}})"));
  EXPECT_EQ(model_to_json(model_from_json(written)), written);
}

TEST(ModelJson, BuildsWithoutAnInputLayerFromTheFirstLayersShape) {
  ordered_json json = ordered_json::parse(kReference);
  json["config"]["layers"].erase(0);

  const Network model = model_from_json(json);

  EXPECT_EQ(model.layers().size(), 3u);
  EXPECT_EQ(model_to_json(model), ordered_json::parse(kReference));
}

TEST(ModelJson, StaysUnbuiltIfNothingSaysTheInputShape) {
  ordered_json json = ordered_json::parse(kReference);
  json["config"]["layers"].erase(0);
  json["config"]["layers"][0]["config"].erase("batch_input_shape");

  Network model = model_from_json(json);
  EXPECT_FALSE(model.built());
  expect_error(
      ExitCode::kUsage, [&] { model_to_json(model); }, HasSubstr("expected build()"));

  json["config"]["build_input_shape"] = {nullptr, 784};
  EXPECT_TRUE(model_from_json(json).built());
}

TEST(ModelJson, ReadsTheLayerListOfOldKerasAndMissingKeysByDefault) {
  const Network model = model_from_json_text(
      R"({"class_name": "Sequential", "config": [
          {"class_name": "Dense", "config": {"units": 3, "batch_input_shape": [null, 5]}}]})");

  EXPECT_EQ(model.parameter_count(), 18);
  EXPECT_EQ(model.layers()[0]->name(), "dense");
}

TEST(ModelJson, FrozenModelFreezesItsLayers) {
  const Network model = model_from_json(changed("/config/trainable", false));

  for (const auto& layer : model.layers()) EXPECT_FALSE(layer->trainable());
}

TEST(ModelJson, TenThousandLayersWithoutNamesAreReadInNoTime) {
  ordered_json json = ordered_json::parse(kReference);
  ordered_json& layers = json["config"]["layers"];
  while (layers.size() < 10000)
    layers.push_back({{"class_name", "Dropout"}, {"config", {{"rate", 0.5}}}});
  EXPECT_EQ(model_from_json_text(json.dump()).layers().back()->name(), "dropout_9995");
}

TEST(ModelJson, SpatialDropoutIsWrittenWithTheKeysThatKeras3Takes) {
  const Network model =
      model_from_layers_text("Input((3, 2)), SpatialDropout1D(0.5), Flatten(), Dense(2)");
  const ordered_json written = model_to_json(model);
  EXPECT_EQ(written["config"]["layers"][1]["config"].dump(),
            R"({"name":"spatial_dropout1d","dtype":"float32","rate":0.5,"seed":null})");
  EXPECT_EQ(model_to_json(model_from_json(written)), written);
}

TEST(ModelJson, ModelsAsLayersBecomeTheirLayers) {
  ordered_json json = ordered_json::parse(kReference);
  ordered_json inner = json;
  inner["config"]["name"] = "base";
  inner["config"]["trainable"] = false;
  inner["config"]["layers"][0]["config"]["batch_input_shape"] = {nullptr, 10};
  json["config"]["layers"].push_back(inner);
  NetworkRemarks remarks;
  const Network model = model_from_json(json, "2.15.0", remarks);

  ASSERT_EQ(model.layers().size(), 7u);
  EXPECT_EQ(model.layers()[4]->name(), "dense_3");  // "dense" is taken
  EXPECT_FALSE(model.layers()[4]->trainable());
  EXPECT_TRUE(model.layers()[3]->trainable());
  EXPECT_EQ(remarks.stores[3], "layers/dense_2");
  EXPECT_EQ(remarks.stores[4], "layers/sequential/layers/dense");
  EXPECT_EQ(remarks.stores[6], "layers/sequential/layers/dense_2");
  EXPECT_THAT(remarks.saving_notes, testing::SizeIs(1));
}

TEST(ModelJson, ActivationThatIsALayerBecomesOneOrAName) {
  const auto with = [](const char* name, const ordered_json& config) {
    return model_from_json(
        changed("/config/layers/2/config/activation", {{"class_name", name}, {"config", config}}));
  };
  const Network split = with("LeakyReLU", {{"name", "leaky"}, {"alpha", 0.1}});
  ASSERT_EQ(split.layers().size(), 5u);
  EXPECT_EQ(split.layers()[3]->class_name(), "LeakyReLU");
  EXPECT_EQ(split.layers()[3]->config().dump(), R"({"alpha":0.1})");
  EXPECT_EQ(model_to_json(model_from_json(model_to_json(split))), model_to_json(split));

  EXPECT_EQ(with("ReLU", ordered_json::object()).layers().size(), 4u);
  EXPECT_EQ(with("ELU", {{"alpha", 1.0}}).layers()[2]->config()["activation"], "elu");
  EXPECT_THAT([&] { with("LeakyReLU", {{"alpha", -1}}); }, testing::Throws<Error>());
}

TEST(ModelJson, HardSigmoidIsThatOfItsKeras) {
  const ordered_json json = changed("/config/layers/2/config/activation", "hard_sigmoid");
  NetworkRemarks remarks;
  const auto activation = [](const Network& model) {
    return model.layers()[2]->final_activation();
  };
  EXPECT_EQ(activation(model_from_json(json, "2.15.0", remarks)), Activation::kHardSigmoidKeras2);
  EXPECT_EQ(activation(model_from_json(json, "3.3.3", remarks)), Activation::kHardSigmoid);

  for (const char* version : {"2.15.0", "3.3.3"}) {  // written so that it is read as the same again
    const Network model = model_from_json(json, version, remarks);
    EXPECT_EQ(activation(model_from_json(model_to_json(model))), activation(model)) << version;
  }
}

TEST(ModelJson, ReadsKeras1sWords) {
  const Network model = model_from_json_text(
      R"({"class_name": "Sequential", "keras_version": "1.2.2", "config": [
          {"class_name": "Dense", "config": {"name": "d", "output_dim": 3, "input_dim": 5, "bias": false,
           "init": "uniform", "W_regularizer": {"name": "WeightRegularizer", "l1": 0.0, "l2": 0.5},
           "b_regularizer": null, "W_constraint": null, "b_constraint": null, "input_dtype": "float32",
           "activation": "hard_sigmoid", "activity_regularizer": null, "trainable": true}},
          {"class_name": "Dropout", "config": {"name": "o", "p": 0.25, "trainable": true}}]})");

  EXPECT_EQ(model.input_shape(), Shape{5});
  EXPECT_EQ(model.parameter_count(), 15);
  EXPECT_EQ(model.layers()[0]->parameters()[0].regularizer.l2, 0.5f);
  EXPECT_EQ(model.layers()[0]->final_activation(), Activation::kHardSigmoidKeras2);
  EXPECT_EQ(model.layers()[1]->config()["rate"], 0.25);
}

TEST(ModelJson, WhatOnlyTrainingNeedsIsNoReasonNotToRead) {
  const ordered_json json =
      changed("/config/layers/2/config/kernel_constraint",
              {{"class_name", "RadialConstraint"}, {"config", ordered_json::object()}});
  NetworkRemarks remarks;
  EXPECT_TRUE(model_from_json(json, "", remarks).built());
  EXPECT_THAT(remarks.training.text(),
              HasSubstr("(dense_1): kernel_constraint: expected null, got RadialConstraint"));
}

TEST(ModelJson, OtherFloatingTypesAreNotedOnce) {
  ordered_json json = changed("/config/layers/1/config/dtype", "mixed_float16");
  json["config"]["layers"][2]["config"]["dtype"] = "mixed_float16";
  NetworkRemarks remarks;
  model_from_json(json, "", remarks);
  EXPECT_THAT(remarks.notes,
              testing::ElementsAre("computed in float32: the network asks for mixed_float16"));
}

TEST(ModelJson, ReadsJsonInAString) {
  NetworkRemarks remarks;
  EXPECT_TRUE(model_from_json_text(ordered_json(kReference).dump(), "", remarks).built());
}

}  // namespace
}  // namespace lockstep
