#include <nlohmann/json.hpp>

#include "src/core/floating_point.hpp"
#include "src/core/json_text.hpp"
#include "src/core/printable.hpp"
#include "src/model/model_json.hpp"
#include "src/model/network_from_plan.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;

constexpr const char* kWhat = "model JSON";

/// Keras 2 writes its version into to_json(), Keras 3 does not.
KerasMajor find_keras(const ordered_json& json, std::string version) {
  if (json.is_object() && json.contains("keras_version") && json["keras_version"].is_string())
    version = json["keras_version"];
  return version.starts_with('1') || version.starts_with('2') ? KerasMajor::k2 : KerasMajor::k3;
}

NetworkPlan read_plan(const ordered_json& json, const std::string& keras_version,
                      Problems& problems, NetworkRemarks* remarks) {
  check_nesting(json, kWhat);
  ReadModel read = read_model_blueprint(json, find_keras(json, keras_version), problems);
  return plan_network(std::move(read), problems, remarks);
}

Network read_model(const ordered_json& json, const std::string& keras_version,
                   NetworkRemarks* remarks) {
  Problems problems;
  NetworkPlan plan = read_plan(json, keras_version, problems, remarks);
  std::optional<Network> model;
  try {
    if (!plan.layers.empty())
      model = network_from_plan(std::move(plan), ExitCode::kBadData, remarks);
  } catch (const ProblemsError& error) {
    problems.add(error.problems());
  }
  problems.throw_if_any(ExitCode::kBadData);
  check(model.has_value(), ExitCode::kBadData, "{}: expected layers, got none", kWhat);
  return std::move(*model);
}

}  // namespace

NetworkPlan plan_from_json(const ordered_json& json) {
  Problems problems;
  NetworkPlan plan = read_plan(json, "", problems, nullptr);
  problems.throw_if_any(ExitCode::kBadData);
  return plan;
}

Network model_from_json(const ordered_json& json) {
  const FloatingPointEnvironment environment(Denormals::kKeep);
  return read_model(json, "", nullptr);
}

Network model_from_json(const ordered_json& json, const std::string& keras_version,
                        NetworkRemarks& remarks) {
  const FloatingPointEnvironment environment(Denormals::kKeep);
  return read_model(json, keras_version, &remarks);
}

Network model_from_json_text(const std::string& text) {
  const FloatingPointEnvironment environment(Denormals::kKeep);
  return model_from_json(parse_json(text, kWhat));
}

Network model_from_json_text(const std::string& text, const std::string& keras_version,
                             NetworkRemarks& remarks) {
  const FloatingPointEnvironment environment(Denormals::kKeep);
  ordered_json json = parse_json(text, kWhat);
  // json.dump(model.to_json()) writes JSON into a string of JSON.
  if (json.is_string()) json = parse_json(json.get<std::string>(), kWhat);
  return model_from_json(json, keras_version, remarks);
}

}  // namespace lockstep
