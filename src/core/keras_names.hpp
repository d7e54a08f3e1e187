#pragma once

#include <string>
#include <unordered_map>
#include <unordered_set>

namespace lockstep {

/// Keras's snake case of a class: "InputLayer" -> "input_layer", "LeakyReLU" -> "leaky_re_lu".
std::string keras_snake_case(const std::string& class_name);

/// Keras's way to number what has one name: "dense", "dense_1", "dense_2".
class NameCounter {
 public:
  std::string next(const std::string& base);

 private:
  std::unordered_map<std::string, int> counts_;
};

/// Names that are given once; takes time that does not grow with their number.
class UniqueNames {
 public:
  /// False if the name is taken already.
  bool take(const std::string& name) { return taken_.insert(name).second; }
  /// Takes `base`, or the first free one of "base_1", "base_2", ...
  std::string take_free(const std::string& base);

 private:
  std::unordered_set<std::string> taken_;
  std::unordered_map<std::string, int> counts_;
};

}  // namespace lockstep
