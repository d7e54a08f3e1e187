#include "launch/migrate/python_arithmetic.hpp"

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;
using Result = std::optional<Json>;

bool is_integer(const Json& json) {
  return json.is_number_integer() || json.is_boolean();
}
bool is_number(const Json& json) {
  return json.is_number() || json.is_boolean();
}
std::int64_t integer(const Json& json) {
  return json.is_boolean() ? static_cast<std::int64_t>(json.get<bool>()) : json.get<std::int64_t>();
}
double number(const Json& json) {
  return json.is_boolean() ? static_cast<double>(json.get<bool>()) : json.get<double>();
}

/// Of a whole exponent; any other is left to Python.
Result power(double base, std::int64_t exponent) {
  if (exponent < -1000 || exponent > 1000 || (base == 0 && exponent < 0)) return std::nullopt;
  double product = 1;
  for (std::int64_t i = 0; i < std::abs(exponent); ++i) product *= base;
  return exponent < 0 ? 1 / product : product;
}

Result power(std::int64_t base, std::int64_t exponent) {
  if (exponent < 0) return power(static_cast<double>(base), exponent);
  if (exponent > 1000) return std::nullopt;
  std::int64_t product = 1;
  for (; exponent > 0; --exponent) {
    if (__builtin_mul_overflow(product, base, &product)) return std::nullopt;
  }
  return product;
}

Result of_integers(const std::string& op, std::int64_t a, std::int64_t b) {
  std::int64_t value = 0;
  if (op == "+") return __builtin_add_overflow(a, b, &value) ? Result() : Result(value);
  if (op == "-") return __builtin_sub_overflow(a, b, &value) ? Result() : Result(value);
  if (op == "*") return __builtin_mul_overflow(a, b, &value) ? Result() : Result(value);
  if (op == "**") return power(a, b);
  if (b == 0 || (b == -1 && a == std::numeric_limits<std::int64_t>::min())) return std::nullopt;
  if (op == "/") return static_cast<double>(a) / static_cast<double>(b);
  const std::int64_t floor = a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
  if (op == "//") return floor;
  if (op == "%") return a - floor * b;
  return std::nullopt;
}

Result of_numbers(const std::string& op, double a, double b) {
  if (op == "+") return a + b;
  if (op == "-") return a - b;
  if (op == "*") return a * b;
  if (op == "**")
    return std::floor(b) == b && std::fabs(b) <= 1000 ? power(a, static_cast<std::int64_t>(b))
                                                      : Result();
  if (b == 0) return std::nullopt;
  if (op == "/") return a / b;
  if (op == "//") return std::floor(a / b);
  if (op == "%") return a - std::floor(a / b) * b;
  return std::nullopt;
}

}  // namespace

Result python_binary(const std::string& op, const Json& left, const Json& right) {
  if (left.is_string() && right.is_string() && op == "+")
    return left.get<std::string>() + right.get<std::string>();
  if (!is_number(left) || !is_number(right)) return std::nullopt;
  if (is_integer(left) && is_integer(right)) return of_integers(op, integer(left), integer(right));
  return of_numbers(op, number(left), number(right));
}

Result python_unary(const std::string& op, const Json& of) {
  if (op == "not") return !python_truth(of);
  if (!is_number(of)) return std::nullopt;
  if (op == "+") return of;
  if (op == "-") return python_binary("-", is_integer(of) ? Json(0) : Json(-0.0), of);
  return std::nullopt;
}

std::optional<bool> python_compare(const std::string& op, const Json& left, const Json& right) {
  if (op == "is" || op == "==") return left == right;
  if (op == "is not" || op == "!=") return left != right;
  const bool numbers = is_number(left) && is_number(right);
  const bool strings = left.is_string() && right.is_string();
  if (op == "in" && strings)
    return right.get<std::string>().find(left.get<std::string>()) != std::string::npos;
  if (!numbers && !strings) return std::nullopt;
  const auto decide = [&](const auto& a, const auto& b) -> std::optional<bool> {
    if (op == "<") return a < b;
    if (op == ">") return a > b;
    if (op == "<=") return a <= b;
    if (op == ">=") return a >= b;
    return std::nullopt;
  };
  return numbers ? decide(number(left), number(right))
                 : decide(left.get<std::string>(), right.get<std::string>());
}

bool python_truth(const Json& of) {
  if (is_number(of)) return number(of) != 0;
  if (of.is_string()) return !of.get_ref<const std::string&>().empty();
  return !of.is_null();
}

Result python_math(const std::string& name, const std::vector<Json>& of) {
  for (const Json& json : of)
    if (!is_number(json)) return std::nullopt;
  if (of.size() == 2 && (name == "pow" || name == "power"))
    return of_numbers("**", number(of[0]), number(of[1]));
  if (of.size() != 1) return std::nullopt;
  const double x = number(of[0]);
  const auto whole = [](double value) -> Result {
    if (!(std::fabs(value) < 9e15)) return std::nullopt;
    return static_cast<std::int64_t>(value);
  };
  if (name == "sqrt") return std::sqrt(x);
  if (name == "ceil") return whole(std::ceil(x));
  if (name == "floor") return whole(std::floor(x));
  if (name == "int") return whole(std::trunc(x));
  return std::nullopt;
}

}  // namespace lockstep
