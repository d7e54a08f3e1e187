#include "launch/train/rate_expression.hpp"

#include <muParser.h>

#include <cmath>
#include <memory>

#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

struct Expression {
  explicit Expression(const std::string& text) {
    parser.DefineVar("epoch", &epoch);
    parser.DefineVar("rate", &rate);
    parser.DefineFun("floor", static_cast<double (*)(double)>(std::floor));
    parser.SetExpr(text);
    parser.Eval();  // finds what is wrong
  }

  mu::Parser parser;
  double epoch = 0, rate = 0;
};

}  // namespace

std::function<double(std::int64_t epoch, double rate)> rate_expression(const std::string& text) {
  try {
    const auto expression = std::make_shared<Expression>(text);
    return [expression](std::int64_t epoch, double rate) {
      expression->epoch = static_cast<double>(epoch);
      expression->rate = rate;
      return expression->parser.Eval();
    };
  } catch (const mu::Parser::exception_type& error) {
    fail(
        ExitCode::kUsage,
        "[options] --learning-rate-expression: expected an expression of epoch and rate, got '{}', "
        "column {}: {}",
        printable(text), error.GetPos() + 1, printable(error.GetMsg()));
  }
}

}  // namespace lockstep
