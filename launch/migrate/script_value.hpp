#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "launch/migrate/python_tree.hpp"
#include "src/core/shape.hpp"

namespace lockstep {

struct ScriptArray;
struct ScriptScope;
struct ScriptModel;
struct ScriptLayer;
struct ScriptNode;
struct ScriptObject;

/// What is known of a Python value when a script is read.
struct ScriptValue {
  enum class Kind : std::uint8_t {
    kOpaque,    ///< nothing
    kConstant,  ///< `constant`: None, a bool, a number or a string
    kList,      ///< `items`
    kTuple,     ///< `items`
    kDict,      ///< `items`: key, value, key, value, ...
    kPath,      ///< `text`: something imported, "keras.layers.Dense"; or a name of Python's own
    kMethod,    ///< `text` of `items[0]`
    kFunction,  ///< `function`, or the lambda `lambda`; `scope`, `items`
    kObject,    ///< an optimizer, a loss, a callback, ... of Keras
    kLayer,
    kNode,  ///< a symbolic tensor: the output of a layer
    kModel,
    kLoadedLayers,  ///< the layers of `model`, which is read from a file; but for the last `count`
    kArray,
  };
  Kind kind = Kind::kOpaque;
  nlohmann::ordered_json constant = {};
  std::string text = {};
  std::shared_ptr<std::vector<ScriptValue>> items = {};
  const Statement* function = nullptr;
  ExpressionPtr lambda = {};
  ScriptScope* scope = nullptr;  ///< kFunction: in which it was made; `items`: its defaults
  std::shared_ptr<ScriptObject> object = {};
  std::shared_ptr<ScriptLayer> layer = {};
  std::shared_ptr<ScriptNode> node = {};
  std::shared_ptr<ScriptModel> model = {};
  std::shared_ptr<ScriptArray> array = {};
  std::int64_t count = 0;
  std::set<int> lines = {};  ///< kOpaque: of the statements that it comes from
  bool is_result = false;    ///< kOpaque: it comes out of training

  bool is(Kind other) const { return kind == other; }
  bool is_none() const { return kind == Kind::kConstant && constant.is_null(); }
  bool is_number() const { return kind == Kind::kConstant && constant.is_number(); }
  bool is_string() const { return kind == Kind::kConstant && constant.is_string(); }
  bool is_sequence() const { return kind == Kind::kList || kind == Kind::kTuple; }
};

ScriptValue constant_value(nlohmann::ordered_json constant);
ScriptValue sequence_value(ScriptValue::Kind kind, std::vector<ScriptValue> items);

struct ScriptArgument {
  std::string keyword;  ///< empty: by position
  ScriptValue value;
  ExpressionPtr expression = {};
  bool unknown = false;  ///< *rest or **rest of which nobody knows what is in it
};
using ScriptArguments = std::vector<ScriptArgument>;

/// A call of a class of Keras that is no layer: Adam(learning_rate=0.01).
struct ScriptObject {
  std::string path;  ///< "keras.optimizers.Adam"
  ScriptArguments arguments;
  int line = 0;

  std::string name() const { return path.substr(path.rfind('.') + 1); }
};

struct ScriptLayer {
  std::string class_name;
  nlohmann::ordered_json config = nlohmann::ordered_json::object();  ///< what the script says of it
  std::string name = {};                                             ///< if the script gives one
  std::optional<nlohmann::ordered_json> input_shape = {};            ///< without the batch
  std::optional<bool> trainable = {};
  std::shared_ptr<ScriptModel> model = {};  ///< a model that is a layer
  std::int64_t dropped = 0;  ///< of a loaded one: how many of its last layers are left out
  const ScriptModel* trained = nullptr;  ///< what it has been trained in
  int line = 0;

  bool is_left_out() const { return class_name.empty() && !model; }
  bool is_input() const { return class_name == "InputLayer"; }
};

/// One use of a layer. Of an input, its layer is an InputLayer without inputs.
struct ScriptNode {
  std::shared_ptr<ScriptLayer> layer;
  std::vector<std::shared_ptr<ScriptNode>> inputs;
  /// Arguments of the call by their names: a node, or a constant.
  std::vector<std::pair<std::string, ScriptValue>> arguments = {};
};

struct ScriptModel {
  enum class Form : std::uint8_t { kSequential, kFunctional, kLoaded };
  Form form = Form::kSequential;
  std::string name = {};
  std::vector<std::shared_ptr<ScriptLayer>> layers = {};  ///< kSequential
  std::shared_ptr<ScriptNode> input = {}, output = {};    ///< kFunctional
  std::string file = {};                                  ///< kLoaded
  std::int64_t dropped = 0;                               ///< kLoaded: by pop()
  std::optional<bool> trainable = {};
  std::string weights = {};
  bool skip_mismatch = false;  ///< of `weights`: those that do not fit
  std::weak_ptr<ScriptLayer> as_layer = {};
  int line = 0;

  // compile()
  ScriptArguments compiled = {};
  int compile_line = 0;
  bool newly_compiled = false;

  // fit()
  std::string trained_file = {};                                   ///< what the last run leaves
  std::map<std::shared_ptr<ScriptLayer>, std::string> names = {};  ///< of its layers there
  std::set<std::string> frozen = {};                               ///< of these then
  /// What has been done to it since, by line: another fit would not begin with `trained_file`.
  std::map<int, std::string> changed = {};
};

/// Rows of a dataset that Keras brings along, and what the script has made of them.
struct ScriptArray {
  std::string dataset;  ///< "mnist"
  std::string part;     ///< "x_train"
  Shape shape;          ///< with the rows
  std::int64_t first = 0, rows = 0;
  /// {"scale": 1/255}, {"shape": [28, 28, 1]}, {"classes": 10}: in the order in which they are
  /// done.
  nlohmann::ordered_json changes = nlohmann::ordered_json::array();
  std::set<int> lines = {};
};

}  // namespace lockstep
