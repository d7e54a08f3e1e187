#pragma once

#include <optional>
#include <string>

#include "launch/migrate/script_value.hpp"

namespace lockstep {

/// A dataset that Keras brings along and Lockstep imports as it is.
struct KnownDataset {
  const char* name;  ///< of its module: "fashion_mnist"
  std::int64_t rows, test_rows;
  Shape row_shape;
  const char* import;  ///< the command that makes it, of Keras's own copy
};
/// Null: not one of them.
const KnownDataset* known_dataset(const std::string& name);
/// ((x_train, y_train), (x_test, y_test))
ScriptValue load_data(const KnownDataset& dataset, int line);

/// What becomes of the array, with the change written down; none: not understood.
std::optional<ScriptValue> array_arithmetic(const ScriptArray& array, const std::string& op,
                                            const ScriptValue& right, int line);
ScriptValue sliced_rows(const ScriptArray& array, std::int64_t first, std::int64_t last, int line);
/// With an axis of extent 1 behind all others.
ScriptValue expanded(const ScriptArray& array, int line);
std::optional<ScriptValue> array_method(const ScriptArray& array, const std::string& method,
                                        const ScriptArguments& arguments, int line);
ScriptValue one_hot(const ScriptArray& array, std::int64_t classes, int line);

}  // namespace lockstep
