#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

#include "src/core/random.hpp"
#include "src/core/shape.hpp"

namespace lockstep {

/// First values of a weight. A pure function of the shape and the random stream.
class Initializer {
 public:
  virtual ~Initializer() = default;
  /// Fills `values`, row-major, of the given shape.
  virtual void fill(std::span<float> values, const Shape& shape,
                    const RandomStream& random) const = 0;
  /// {"class_name": "GlorotUniform", "config": {"seed": null}}, as Keras 2 writes it.
  virtual nlohmann::ordered_json to_json() const = 0;
};

/// Keras's initializers: zeros, ones, constant, identity, glorot_uniform/normal, he_uniform/normal,
/// lecun_uniform/normal, variance_scaling, random_uniform/uniform, random_normal/normal,
/// truncated_normal, orthogonal. From a Keras name ("glorot_uniform") or from JSON
/// (string, or {"class_name", "config"} in Keras 2's or 3's form).
/// Throws Error (65), naming it, for one that Lockstep lacks.
std::shared_ptr<const Initializer> make_initializer(const std::string& name);
std::shared_ptr<const Initializer> make_initializer(const nlohmann::ordered_json& json);

}  // namespace lockstep
