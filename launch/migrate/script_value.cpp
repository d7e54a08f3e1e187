#include "launch/migrate/script_value.hpp"

namespace lockstep {

ScriptValue constant_value(nlohmann::ordered_json constant) {
  ScriptValue value;
  value.kind = ScriptValue::Kind::kConstant;
  value.constant = std::move(constant);
  return value;
}

ScriptValue sequence_value(ScriptValue::Kind kind, std::vector<ScriptValue> items) {
  ScriptValue value;
  value.kind = kind;
  value.items = std::make_shared<std::vector<ScriptValue>>(std::move(items));
  return value;
}

}  // namespace lockstep
