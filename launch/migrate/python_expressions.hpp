#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "launch/migrate/python_token.hpp"
#include "launch/migrate/python_tree.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {

/// Reads the expressions of a Python script, word by word, by recursion.
class PythonExpressions {
 protected:
  using Kind = Expression::Kind;

  PythonExpressions(const std::string& script, const std::string& name)
      : script_(script), name_(name), tokens_(python_tokens(script, name)) {}

  // --- Words ---

  const Token& now() const { return tokens_[at_]; }
  const Token& ahead(std::size_t count) const;
  const Token& take() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  bool accept(std::string_view word);
  [[noreturn]] void expected(std::string_view what) const;
  void expect(std::string_view word);
  std::string name();

  // --- Expressions ---

  /// Counts how deep expressions are nested, since they are read by recursion.
  struct Depth {
    explicit Depth(PythonExpressions& parser) : parser(parser) {
      check(++parser.depth_ <= 100, ExitCode::kBadData, "[{}] line {}: nested too deeply",
            printable(parser.name_), parser.now().line);
    }
    ~Depth() { --parser.depth_; }
    Depth(const Depth&) = delete;
    Depth& operator=(const Depth&) = delete;
    PythonExpressions& parser;
  };

  /// Of what is written one behind the other and read by recursion, too: a + b + c, a.b.c.
  void check_length(int length) const;

  std::shared_ptr<Expression> make(Kind kind, const Token& first);
  ExpressionPtr closed(std::shared_ptr<Expression> made);
  ExpressionPtr with_parts(Kind kind, ExpressionPtr first, std::vector<std::string> words,
                           std::vector<ExpressionPtr> others);

  /// a, b: a tuple; a: itself.
  ExpressionPtr expressions();
  bool begins_expression() const;
  ExpressionPtr starred();
  ExpressionPtr expression();
  ExpressionPtr logic(const std::string& word);
  ExpressionPtr negation();

  std::optional<std::string> comparing();
  ExpressionPtr comparison();
  ExpressionPtr binary(std::size_t level);
  ExpressionPtr unary();

  /// An atom with calls, subscripts and attributes behind it.
  ExpressionPtr trailed();

  std::vector<PythonParameter> arguments();
  ExpressionPtr subscript();
  ExpressionPtr slice();
  ExpressionPtr atom();
  ExpressionPtr string();
  ExpressionPtr comprehension(const Token& first, ExpressionPtr element, bool plain);

  /// Of a for: `in` is no operator here.
  ExpressionPtr targets();
  ExpressionPtr parenthesis(const Token& first);
  ExpressionPtr list(const Token& first);
  ExpressionPtr dictionary(const Token& first);

  std::vector<PythonParameter> parameters(std::string_view end);

  const std::string& script_;
  const std::string& name_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
  bool no_in_ = false;
};

}  // namespace lockstep
