#include "launch/migrate/python_parser.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "launch/migrate/python_expressions.hpp"

namespace lockstep {
namespace {

class Parser : PythonExpressions {
 public:
  Parser(const std::string& script, const std::string& name) : PythonExpressions(script, name) {}

  std::vector<Statement> run() {
    std::vector<Statement> statements;
    while (now().kind != Token::Kind::kEnd) statement(statements);
    return statements;
  }

 private:
  Statement begin(Statement::Kind kind) {
    Statement made;
    made.kind = kind;
    made.line = now().line;
    made.begin = now().begin;
    return made;
  }
  void end(Statement& made) { made.end = tokens_[at_ - 1].end; }

  void end_of_line() {
    if (now().kind == Token::Kind::kNewline) {
      take();
    } else if (now().kind != Token::Kind::kEnd && now().kind != Token::Kind::kDedent) {
      expected("the end of the statement");
    }
  }
  void skip_line() {
    while (now().kind != Token::Kind::kNewline && now().kind != Token::Kind::kEnd) take();
    end_of_line();
  }

  std::vector<Statement> block(Statement& owner) {
    expect(":");
    end(owner);
    std::vector<Statement> body;
    if (now().kind != Token::Kind::kNewline) {
      simple_line(body);
      return body;
    }
    take();
    if (now().kind != Token::Kind::kIndent) expected("an indented line");
    take();
    const Depth depth(*this);
    while (now().kind != Token::Kind::kDedent && now().kind != Token::Kind::kEnd) statement(body);
    if (now().kind == Token::Kind::kDedent) take();
    return body;
  }

  void statement(std::vector<Statement>& to) {
    if (now().is("@")) {
      take();
      expression();
      end_of_line();
      return;
    }
    if (now().is("async")) take();
    if (now().is("if")) return to.push_back(if_statement());
    if (now().is("for")) return to.push_back(for_statement());
    if (now().is("with")) return to.push_back(with_statement());
    if (now().is("def")) return to.push_back(def_statement());
    if (now().is("try")) return to.push_back(try_statement());
    if (now().is("class") || now().is("while")) {
      Statement made =
          begin(now().is("class") ? Statement::Kind::kUnreadable : Statement::Kind::kWhile);
      if (take().text == "class") {
        made.name = name();
        if (accept("(")) arguments();
      } else {
        expressions();
      }
      made.body = block(made);
      if (accept("else")) std::ranges::move(block(made), std::back_inserter(made.body));
      return to.push_back(std::move(made));
    }
    simple_line(to);
  }

  void simple_line(std::vector<Statement>& to) {
    do {
      if (now().kind == Token::Kind::kNewline) break;
      simple(to);
    } while (accept(";"));
    end_of_line();
  }

  void simple(std::vector<Statement>& to) {
    Statement made = begin(Statement::Kind::kPass);
    if (now().is("import") || now().is("from")) {
      made.kind = Statement::Kind::kImport;
      made.imports = imports();
    } else if (accept("return")) {
      made.kind = Statement::Kind::kReturn;
      if (begins_expression()) made.value = expressions();
    } else if (accept("break")) {
      made.kind = Statement::Kind::kBreak;
    } else if (accept("continue")) {
      made.kind = Statement::Kind::kContinue;
    } else if (accept("pass")) {
    } else if (now().is("global") || now().is("nonlocal")) {
      made.kind = Statement::Kind::kElsewhere;
      made.name = take().text;
      do made.imports.emplace_back("", name());
      while (accept(","));
    } else if (accept("del")) {
      made.kind = Statement::Kind::kDelete;
      const ExpressionPtr all = expressions();
      if (all->kind == Kind::kTuple)
        made.targets = all->parts;
      else
        made.targets = {all};
    } else if (now().is("assert") || now().is("raise")) {
      take();
      if (begins_expression()) expressions();
      if (accept("from")) expression();
    } else if (now().is("print") && !ahead(1).is("(") && !ahead(1).is("=") && !ahead(1).is(".") &&
               ahead(1).kind != Token::Kind::kNewline) {
      while (now().kind != Token::Kind::kNewline && now().kind != Token::Kind::kEnd)
        take();  // Python 2
    } else {
      assignment(made);
    }
    end(made);
    to.push_back(std::move(made));
  }

  void assignment(Statement& made) {
    made.kind = Statement::Kind::kExpression;
    made.value = expressions();
    if (accept(":")) {  // an annotation
      expression();
      if (!now().is("=")) made.kind = Statement::Kind::kPass;
    }
    while (accept("=")) {
      made.kind = Statement::Kind::kAssign;
      made.targets.push_back(std::move(made.value));
      made.value = expressions();
    }
    const Token& token = now();
    const bool augmented = made.kind == Statement::Kind::kExpression &&
                           token.kind == Token::Kind::kOperator && token.text.size() > 1 &&
                           token.text.back() == '=' &&
                           std::string_view("+-*/%@&|^<>").find(token.text[0]) != std::string::npos;
    if (!augmented) return;
    made.kind = Statement::Kind::kAugmented;
    made.name = token.text.substr(0, token.text.size() - 1);
    take();
    made.targets.push_back(std::move(made.value));
    made.value = expressions();
  }

  std::string dotted() {
    std::string text;
    while (now().is(".") || now().is("...")) text += take().text;
    if (now().kind == Token::Kind::kName && !now().is("import")) text += name();
    while (accept(".")) text += "." + name();
    return text;
  }

  std::vector<std::pair<std::string, std::string>> imports() {
    std::vector<std::pair<std::string, std::string>> all;
    if (accept("import")) {
      do {
        const std::string what = dotted();
        const std::string top = what.substr(0, what.find('.'));
        if (accept("as")) {
          all.emplace_back(what, name());
        } else {
          all.emplace_back(top, top);
        }
      } while (accept(","));
      return all;
    }
    expect("from");
    const std::string module = dotted();
    expect("import");
    const bool bracket = accept("(");
    do {
      if (bracket && now().is(")")) break;
      if (accept("*")) {
        all.emplace_back(module, "*");
        continue;
      }
      const std::string what = name();
      all.emplace_back(module + "." + what, accept("as") ? name() : what);
    } while (accept(","));
    if (bracket) expect(")");
    return all;
  }

  Statement if_statement() {
    Statement made = begin(Statement::Kind::kIf);
    take();
    made.value = expression();
    made.body = block(made);
    if (now().is("elif")) {
      const Depth depth(*this);
      made.otherwise.push_back(if_statement());
    } else if (accept("else")) {
      Statement rest = made;
      made.otherwise = block(rest);
    }
    return made;
  }

  Statement for_statement() {
    Statement made = begin(Statement::Kind::kFor);
    take();
    made.targets.push_back(targets());
    expect("in");
    made.value = expressions();
    made.body = block(made);
    if (accept("else")) {
      Statement rest = made;
      block(rest);
    }
    return made;
  }

  Statement with_statement() {
    Statement made = begin(Statement::Kind::kWith);
    take();
    const bool bracket = now().is("(") && with_bracket();
    if (bracket) take();
    do {
      if (bracket && now().is(")")) break;
      made.value = expression();
      if (accept("as")) made.targets.push_back(trailed());
    } while (accept(","));
    if (bracket) expect(")");
    made.body = block(made);
    return made;
  }
  /// Whether the bracket holds `... as name` items.
  bool with_bracket() const {
    int depth = 0;
    for (std::size_t i = at_; i < tokens_.size(); ++i) {
      if (tokens_[i].is("(")) ++depth;
      if (tokens_[i].is(")") && --depth == 0) return tokens_[i + 1].is(":");
    }
    return false;
  }

  Statement def_statement() {
    Statement made = begin(Statement::Kind::kDef);
    take();
    made.name = name();
    expect("(");
    made.parameters = parameters(")");
    if (accept("->")) expression();
    made.body = block(made);
    return made;
  }

  Statement try_statement() {
    Statement made = begin(Statement::Kind::kBlock);
    take();
    made.body = block(made);
    while (now().is("except") || now().is("finally") || now().is("else")) {
      Statement rest = made;
      const bool handler = now().is("except");
      take();
      accept("*");
      if (handler && !now().is(":")) {
        expressions();
        if (accept("as")) name();
      }
      std::vector<Statement> body = block(rest);
      std::ranges::move(body, std::back_inserter(handler ? made.otherwise : made.body));
    }
    return made;
  }
};

}  // namespace

std::vector<Statement> parse_python(const std::string& script, const std::string& name) {
  return Parser(script, name).run();
}

}  // namespace lockstep
