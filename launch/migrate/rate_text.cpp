#include "launch/migrate/rate_text.hpp"

#include <fmt/format.h>

#include <map>

namespace lockstep {
namespace {

using Names = std::map<std::string, std::string>;

/// Thrown and caught here: Python that the expression has no words for.
struct NoWords {};

class RateText {
 public:
  explicit RateText(ScriptReader& reader) : reader_(reader) {}

  std::string of(const Expression& e, const Names& names) {
    if (++steps_ > 2000) throw NoWords();
    switch (e.kind) {
      case Expression::Kind::kConstant:
        return constant(e.constant);
      case Expression::Kind::kName: {
        const auto local = names.find(e.words[0]);
        if (local != names.end()) return local->second;
        const ScriptValue* value = reader_.find(e.words[0]);
        if (value == nullptr || !value->is(ScriptValue::Kind::kConstant)) throw NoWords();
        return constant(value->constant);
      }
      case Expression::Kind::kUnary:
        return fmt::format("({}{})",
                           e.words[0] == "not" ? "0 == "
                           : e.words[0] == "-" ? "-"
                                               : "",
                           of(*e.parts[0], names));
      case Expression::Kind::kBinary:
        return operation(e.words[0], of(*e.parts[0], names), of(*e.parts[1], names));
      case Expression::Kind::kCompare: {
        std::string text;
        for (std::size_t i = 0; i < e.words.size(); ++i) {
          const std::string& op = e.words[i];
          if (op != "<" && op != ">" && op != "<=" && op != ">=" && op != "==" && op != "!=")
            throw NoWords();
          text += fmt::format("{}{} {} {}", i > 0 ? " && " : "", of(*e.parts[i], names), op,
                              of(*e.parts[i + 1], names));
        }
        return "(" + text + ")";
      }
      case Expression::Kind::kLogic: {
        std::string text;
        for (const ExpressionPtr& part : e.parts)
          text += (text.empty() ? "" : e.words[0] == "and" ? " && " : " || ") + of(*part, names);
        return "(" + text + ")";
      }
      case Expression::Kind::kConditional:
        return choice(of(*e.parts[1], names), of(*e.parts[0], names), of(*e.parts[2], names));
      case Expression::Kind::kCall:
        return call(e, names);
      default:
        throw NoWords();
    }
  }

  /// What is returned; none: the end is reached, with the names as they are then.
  std::optional<std::string> of(const std::vector<Statement>& body, std::size_t at, Names& names) {
    for (; at < body.size(); ++at) {
      const Statement& statement = body[at];
      switch (statement.kind) {
        case Statement::Kind::kReturn:
          if (!statement.value) throw NoWords();
          return of(*statement.value, names);
        case Statement::Kind::kAssign:
          if (statement.targets.size() != 1 ||
              statement.targets[0]->kind != Expression::Kind::kName)
            throw NoWords();
          names[statement.targets[0]->words[0]] = of(*statement.value, names);
          break;
        case Statement::Kind::kAugmented: {
          if (statement.targets[0]->kind != Expression::Kind::kName) throw NoWords();
          const std::string before = of(*statement.targets[0], names);
          names[statement.targets[0]->words[0]] =
              operation(statement.name, before, of(*statement.value, names));
          break;
        }
        case Statement::Kind::kIf:
          if (auto text = branch(body, at, names)) return text;
          break;
        case Statement::Kind::kExpression:  // prints, or explains
        case Statement::Kind::kPass:
          break;
        default:
          throw NoWords();
      }
    }
    return std::nullopt;
  }

 private:
  static std::string constant(const nlohmann::ordered_json& json) {
    if (!json.is_number()) throw NoWords();
    return json.get<double>() < 0 ? "(" + json.dump() + ")" : json.dump();
  }

  static std::string choice(const std::string& condition, const std::string& yes,
                            const std::string& no) {
    return fmt::format("({} ? {} : {})", condition, yes, no);
  }

  static std::string operation(const std::string& op, const std::string& a, const std::string& b) {
    if (op == "+" || op == "-" || op == "*" || op == "/")
      return fmt::format("({} {} {})", a, op, b);
    if (op == "**") return fmt::format("({} ^ {})", a, b);
    if (op == "//") return fmt::format("floor({} / {})", a, b);
    if (op == "%") return fmt::format("({0} - {1} * floor({0} / {1}))", a, b);
    throw NoWords();
  }

  std::string call(const Expression& e, const Names& names) {
    const Expression& function = *e.parts[0];
    const bool named =
        function.kind == Expression::Kind::kName || function.kind == Expression::Kind::kAttribute;
    if (!named) throw NoWords();
    const std::string& name = function.words[0];
    std::vector<std::string> of_call;
    for (const PythonParameter& argument : e.arguments) {
      if (!argument.name.empty() || argument.stars > 0) throw NoWords();
      of_call.push_back(of(*argument.value, names));
    }
    if (of_call.size() == 1) {
      if (name == "float") return of_call[0];
      if (name == "exp" || name == "sqrt" || name == "floor" || name == "abs")
        return fmt::format("{}({})", name, of_call[0]);
      if (name == "log") return fmt::format("ln({})", of_call[0]);
      if (name == "int") return fmt::format("floor({})", of_call[0]);  // an epoch is not negative
    }
    if (of_call.size() == 2) {
      if (name == "pow" || name == "power") return operation("**", of_call[0], of_call[1]);
      if (name == "min" || name == "max" || name == "minimum" || name == "maximum")
        return fmt::format("{}({}, {})", name.substr(0, 3), of_call[0], of_call[1]);
    }
    throw NoWords();
  }

  /// An if: either side may return, or go on with what stands behind it.
  std::optional<std::string> branch(const std::vector<Statement>& body, std::size_t at,
                                    Names& names) {
    const Statement& statement = body[at];
    const std::string condition = of(*statement.value, names);
    Names yes = names, no = names;
    auto returned = of(statement.body, 0, yes);
    auto otherwise = of(statement.otherwise, 0, no);
    if (!returned && !otherwise) {
      for (auto& [name, text] : yes) {
        const auto other = no.find(name);
        if (other == no.end()) continue;
        names[name] = text == other->second ? text : choice(condition, text, other->second);
      }
      return std::nullopt;
    }
    if (!returned) returned = of(body, at + 1, yes);
    if (!otherwise) otherwise = of(body, at + 1, no);
    if (!returned || !otherwise) throw NoWords();
    return choice(condition, *returned, *otherwise);
  }

  ScriptReader& reader_;
  int steps_ = 0;
};

}  // namespace

std::optional<std::string> rate_text(ScriptReader& reader, const ScriptValue& schedule) {
  if (!schedule.is(ScriptValue::Kind::kFunction)) return std::nullopt;
  const bool named = schedule.function != nullptr;
  const auto& parameters = named ? schedule.function->parameters : schedule.lambda->arguments;
  if (parameters.empty() || parameters.size() > 2) return std::nullopt;
  Names names = {{parameters[0].name, "epoch"}};
  if (parameters.size() == 2) names[parameters[1].name] = "rate";
  try {
    RateText text(reader);
    std::optional<std::string> all = named ? text.of(schedule.function->body, 0, names)
                                           : text.of(*schedule.lambda->parts[0], names);
    if (!all || all->size() > 2000) return std::nullopt;
    return all;
  } catch (const NoWords&) {
    return std::nullopt;
  }
}

}  // namespace lockstep
