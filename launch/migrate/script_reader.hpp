#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "launch/migrate/migration.hpp"
#include "launch/migrate/python_tree.hpp"
#include "launch/migrate/script_value.hpp"

namespace lockstep {

/// The names of a call of a function, or of the script itself.
struct ScriptScope {
  std::map<std::string, ScriptValue> values = {};
  ScriptScope* outer = nullptr;                        ///< in which its function was made
  std::map<std::string, ScriptScope*> elsewhere = {};  ///< of `global`, `nonlocal`
  bool kept = false;                                   ///< functions have been made in it
};

/// Follows a script as Python would, as far as it is about networks: what it does not understand
/// becomes an opaque value, and is told where that is used.
class ScriptReader {
 public:
  using Value = ScriptValue;
  using Kind = ScriptValue::Kind;

  ScriptReader(const std::string& script, const std::string& name);

  Migration run();

  // For the parts that know Keras.

  /// A line that is not carried over, and why.
  void unread(int line, const std::string& reason, bool fatal = false);
  /// What the user should know; once.
  void note(const std::string& text);
  /// Of the call that is being read.
  int line() const { return line_; }
  std::string source(const Expression& expression) const;
  /// An opaque value that is made of these.
  Value opaque(const std::vector<const Value*>& from = {});
  Value opaque_of(const ScriptArguments& from);
  /// What comes out of a training.
  static Value result();
  Value evaluate(const ExpressionPtr& expression);
  /// The value of a name where the script stands; null: there is none.
  const Value* find(const std::string& name) const;
  /// Lines that make arrays need not be carried over: the script goes on making them.
  void is_data(const std::set<int>& lines);
  Migration& migration() { return migration_; }
  int seed = -1;         ///< -1: the script sets none
  bool summary = false;  ///< it prints one
  std::set<std::string> names() const;
  /// A script may make things without end, or nearly so; this does not.
  void step(std::size_t count = 1);
  /// Networks are walked by recursion.
  void made_node();
  /// What the script has saved, by the names that it gives: which of our files it is.
  std::map<std::string, std::string> saved;

 private:
  enum class Flow : std::uint8_t { kNext, kReturn, kBreak, kContinue };

  // Statements.
  Flow execute(const std::vector<Statement>& statements);
  Flow execute(const Statement& statement);
  Flow execute_it(const Statement& statement);
  void import(const Statement& statement);
  void assign(const Expression& target, const Value& value);
  void assign_attribute(const Expression& target, const Value& value);
  void assign_element(const Expression& target, const Value& value);
  void bind(const std::string& name, Value value);
  void look_elsewhere(const Statement& statement);
  /// After this, nobody knows what is in a list or dict.
  void spoil(const Value& of);
  void set_trainable(const Value& of, bool trainable, int depth = 0);
  bool touches_network(const std::vector<Statement>& statements, int depth = 0);
  bool touches_network(const Expression& expression, int depth);
  /// Of statements that may be carried out or not.
  void leave_out(const Statement& statement, const Value& condition, const std::string& reason);
  void augment(const Statement& statement);
  Flow branch(const Statement& statement);
  Flow loop(const Statement& statement);
  void forget_changed(const std::vector<Statement>& statements, const Value& value);
  Value make_function(const std::vector<PythonParameter>& parameters);
  Value run_function(const Value& function, const ScriptArguments& arguments);
  void tell_opaque(const Statement& statement, const Value& value);

  // Expressions.
  Value evaluate_it(const ExpressionPtr& expression);
  Value evaluate_name(const std::string& name);
  Value attribute(const Value& of, const std::string& name, const Expression& expression);
  Value layers_of(const Value& model);
  Value unary(const Expression& expression);
  Value binary(const std::string& op, const Value& left, const Value& right);
  Value compare(const Expression& expression);
  Value subscript(const Expression& expression);
  Value sliced(const Value& of, const Expression& slice);
  Value comprehension(const Expression& expression);
  std::optional<std::vector<Value>> elements(const Value& value);

  // Calls.
  ScriptArguments arguments_of(const Expression& call);
  Value call(const Expression& expression);
  Value call_value(const Value& function, ScriptArguments& arguments);
  Value call_builtin(const std::string& name, ScriptArguments& arguments);
  Value call_method(const Value& of, const std::string& name, ScriptArguments& arguments);

  const std::string& script_;
  const std::string& name_;
  std::vector<Statement> statements_;
  std::vector<std::string> wildcards_;  ///< modules of which everything is imported
  ScriptScope global_;
  ScriptScope* scope_ = &global_;
  std::vector<std::unique_ptr<ScriptScope>> kept_;
  Value returned_;
  int statement_ = 0;  ///< the line of the statement that is being read
  int line_ = 0;       ///< and of the call in it
  int calls_ = 0;
  int nodes_ = 0;
  int depth_ = 0;  ///< of statements and expressions in each other
  std::size_t steps_ = 0;
  std::map<int, std::string> pending_;  ///< opaque lines that may turn out to make arrays
  Migration migration_;
};

}  // namespace lockstep
