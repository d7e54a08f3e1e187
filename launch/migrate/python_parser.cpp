#include "launch/migrate/python_parser.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <set>
#include <string_view>

#include "launch/migrate/python_token.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;
using Kind = Expression::Kind;

const std::set<std::string, std::less<>> kKeywords = {
    "False", "None",     "True",  "and",    "as",   "assert", "async",  "await",    "break",
    "class", "continue", "def",   "del",    "elif", "else",   "except", "finally",  "for",
    "from",  "global",   "if",    "import", "in",   "is",     "lambda", "nonlocal", "not",
    "or",    "pass",     "raise", "return", "try",  "while",  "with",   "yield"};

/// Binary operators, from those that bind least.
constexpr std::array<std::array<std::string_view, 5>, 6> kLevels = {
    {{"|"}, {"^"}, {"&"}, {"<<", ">>"}, {"+", "-"}, {"*", "/", "//", "%", "@"}}};

Json number_of(const std::string& text) {
  const bool has_base = text.size() > 2 && text[0] == '0' && std::isalpha(text[1]);
  if (has_base) {
    const int base = (text[1] | 32) == 'x' ? 16 : (text[1] | 32) == 'o' ? 8 : 2;
    std::int64_t value = 0;
    const auto read = std::from_chars(text.data() + 2, text.data() + text.size(), value, base);
    return read.ec == std::errc() && read.ptr == text.data() + text.size() ? Json(value) : Json();
  }
  if (text.find_first_not_of("0123456789") == std::string::npos) {
    std::int64_t value = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc())
      return value;
  }
  double value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  return read.ec == std::errc() && read.ptr == text.data() + text.size() ? Json(value) : Json();
}

class Parser {
 public:
  Parser(const std::string& script, const std::string& name)
      : script_(script), name_(name), tokens_(python_tokens(script, name)) {}

  std::vector<Statement> run() {
    std::vector<Statement> statements;
    while (now().kind != Token::Kind::kEnd) statement(statements);
    return statements;
  }

 private:
  // --- Words ---

  const Token& now() const { return tokens_[at_]; }
  const Token& ahead(std::size_t count) const {
    return tokens_[std::min(at_ + count, tokens_.size() - 1)];
  }
  const Token& take() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  bool accept(std::string_view word) {
    if (!now().is(word)) return false;
    take();
    return true;
  }
  [[noreturn]] void expected(std::string_view what) const {
    const Token& got = now();
    std::string text = printable(script_.substr(got.begin, got.end - got.begin), 40);
    if (got.kind == Token::Kind::kNewline || got.kind == Token::Kind::kDedent)
      text = "the end of the line";
    if (got.kind == Token::Kind::kIndent) text = "an indented line";
    if (got.kind == Token::Kind::kEnd) text = "the end of the file";
    fail(ExitCode::kBadData, "[{}] line {}: expected {}, got {}: is this a script of Python 3?",
         printable(name_), got.line, what, text);
  }
  void expect(std::string_view word) {
    if (!accept(word)) expected(fmt::format("'{}'", word));
  }
  std::string name() {
    if (now().kind != Token::Kind::kName || kKeywords.contains(now().text)) expected("a name");
    return take().text;
  }

  // --- Expressions ---

  /// Counts how deep expressions are nested, since they are read by recursion.
  struct Depth {
    explicit Depth(Parser& parser) : parser(parser) {
      check(++parser.depth_ <= 100, ExitCode::kBadData, "[{}] line {}: nested too deeply",
            printable(parser.name_), parser.now().line);
    }
    ~Depth() { --parser.depth_; }
    Depth(const Depth&) = delete;
    Depth& operator=(const Depth&) = delete;
    Parser& parser;
  };

  /// Of what is written one behind the other and read by recursion, too: a + b + c, a.b.c.
  void check_length(int length) const {
    check(length <= 1000, ExitCode::kBadData, "[{}] line {}: an expression is too long",
          printable(name_), now().line);
  }

  std::shared_ptr<Expression> make(Kind kind, const Token& first) {
    auto made = std::make_shared<Expression>();
    made->kind = kind;
    made->line = first.line;
    made->begin = first.begin;
    return made;
  }
  ExpressionPtr closed(std::shared_ptr<Expression> made) {
    for (const ExpressionPtr& part : made->parts)
      if (part) made->depth = std::max(made->depth, part->depth + 1);
    for (const PythonParameter& argument : made->arguments)
      if (argument.value) made->depth = std::max(made->depth, argument.value->depth + 1);
    check_length(made->depth);
    made->end = tokens_[at_ - 1].end;
    return made;
  }
  ExpressionPtr with_parts(Kind kind, ExpressionPtr first, std::vector<std::string> words,
                           std::vector<ExpressionPtr> others) {
    auto made = std::make_shared<Expression>();
    made->kind = kind;
    made->line = first->line;
    made->begin = first->begin;
    made->words = std::move(words);
    made->parts.push_back(std::move(first));
    for (ExpressionPtr& other : others) made->parts.push_back(std::move(other));
    return closed(std::move(made));
  }

  /// a, b: a tuple; a: itself.
  ExpressionPtr expressions() {
    const Token& first = now();
    ExpressionPtr one = starred();
    if (!now().is(",")) return one;
    auto tuple = make(Kind::kTuple, first);
    tuple->parts.push_back(std::move(one));
    while (accept(","))
      if (begins_expression()) tuple->parts.push_back(starred());
    return closed(std::move(tuple));
  }
  bool begins_expression() const {
    const Token& token = now();
    switch (token.kind) {
      case Token::Kind::kName:
        return !kKeywords.contains(token.text) || token.is("None") || token.is("True") ||
               token.is("False") || token.is("not") || token.is("lambda") || token.is("await") ||
               token.is("yield");
      case Token::Kind::kOperator:
        return token.is("(") || token.is("[") || token.is("{") || token.is("-") || token.is("+") ||
               token.is("~") || token.is("*") || token.is("**") || token.is("...");
      case Token::Kind::kNumber:
      case Token::Kind::kString:
      case Token::Kind::kFormatted:
        return true;
      default:
        return false;
    }
  }
  ExpressionPtr starred() {
    if (!now().is("*") && !now().is("**")) return expression();
    auto made = make(Kind::kUnreadable, now());
    made->words = {take().text};
    made->parts.push_back(expression());
    return closed(std::move(made));
  }

  ExpressionPtr expression() {
    const Depth depth(*this);
    const Token& first = now();
    if (accept("lambda")) {
      auto made = make(Kind::kLambda, first);
      made->arguments = parameters(":");
      made->parts.push_back(expression());
      return closed(std::move(made));
    }
    if (accept("yield") || accept("await")) {
      auto made = make(Kind::kUnreadable, first);
      accept("from");
      if (begins_expression()) made->parts.push_back(expressions());
      return closed(std::move(made));
    }
    ExpressionPtr value = logic("or");
    if (accept(":=")) {
      value = expression();
      auto made = make(Kind::kUnreadable, first);
      made->parts.push_back(std::move(value));
      return closed(std::move(made));
    }
    if (!accept("if")) return value;
    ExpressionPtr condition = logic("or");
    expect("else");
    return with_parts(Kind::kConditional, std::move(value), {}, {condition, expression()});
  }

  ExpressionPtr logic(const std::string& word) {
    const auto part = [&] { return word == "or" ? logic("and") : negation(); };
    ExpressionPtr first = part();
    if (!now().is(word)) return first;
    std::vector<ExpressionPtr> others;
    while (accept(word)) others.push_back(part());
    return with_parts(Kind::kLogic, std::move(first), {word}, std::move(others));
  }

  ExpressionPtr negation() {
    const Token& first = now();
    if (!accept("not")) return comparison();
    const Depth depth(*this);
    auto made = make(Kind::kUnary, first);
    made->words = {"not"};
    made->parts.push_back(negation());
    return closed(std::move(made));
  }

  std::optional<std::string> comparing() {
    for (const char* word : {"<", ">", "<=", ">=", "==", "!=", "in", "is"})
      if (accept(word))
        return word + std::string(word == std::string("is") && accept("not") ? " not" : "");
    if (now().is("not") && ahead(1).is("in")) {
      take();
      take();
      return "not in";
    }
    return std::nullopt;
  }

  ExpressionPtr comparison() {
    ExpressionPtr first = binary(0);
    std::vector<std::string> words;
    std::vector<ExpressionPtr> others;
    while (!no_in_ || !now().is("in")) {
      auto word = comparing();
      if (!word) break;
      words.push_back(*word);
      others.push_back(binary(0));
    }
    if (words.empty()) return first;
    return with_parts(Kind::kCompare, std::move(first), std::move(words), std::move(others));
  }

  ExpressionPtr binary(std::size_t level) {
    if (level == kLevels.size()) return unary();
    ExpressionPtr value = binary(level + 1);
    for (int length = 0;; check_length(++length)) {
      const auto found = std::ranges::find_if(kLevels[level], [&](std::string_view word) {
        return !word.empty() && now().kind == Token::Kind::kOperator && now().text == word;
      });
      if (found == kLevels[level].end()) return value;
      take();
      ExpressionPtr right = binary(level + 1);
      value = with_parts(Kind::kBinary, std::move(value), {std::string(*found)}, {right});
    }
  }

  ExpressionPtr unary() {
    const Token& first = now();
    if (now().is("-") || now().is("+") || now().is("~")) {
      const Depth depth(*this);
      auto made = make(Kind::kUnary, first);
      made->words = {take().text};
      made->parts.push_back(unary());
      return closed(std::move(made));
    }
    ExpressionPtr base = trailed();
    if (!accept("**")) return base;
    const Depth depth(*this);
    return with_parts(Kind::kBinary, std::move(base), {"**"}, {unary()});
  }

  /// An atom with calls, subscripts and attributes behind it.
  ExpressionPtr trailed() {
    ExpressionPtr value = atom();
    for (int length = 0;; check_length(++length)) {
      if (accept(".")) {
        const std::string attribute = name();
        value = with_parts(Kind::kAttribute, std::move(value), {attribute}, {});
      } else if (now().is("(")) {
        take();
        auto call = std::make_shared<Expression>();
        call->kind = Kind::kCall;
        call->line = value->line;
        call->begin = value->begin;
        call->parts.push_back(std::move(value));
        call->arguments = arguments();
        value = closed(std::move(call));
      } else if (accept("[")) {
        ExpressionPtr index = subscript();
        expect("]");
        value = with_parts(Kind::kSubscript, std::move(value), {}, {index});
      } else {
        return value;
      }
    }
  }

  std::vector<PythonParameter> arguments() {
    std::vector<PythonParameter> all;
    while (!accept(")")) {
      PythonParameter argument;
      if (now().is("*") || now().is("**")) {
        argument.stars = take().text == "*" ? 1 : 2;
      } else if (now().kind == Token::Kind::kName && ahead(1).is("=")) {
        argument.name = name();
        take();
      }
      const Token& first = now();
      argument.value = expression();
      if (now().is("for")) argument.value = comprehension(first, std::move(argument.value), true);
      all.push_back(std::move(argument));
      if (!now().is(")")) expect(",");
    }
    return all;
  }

  ExpressionPtr subscript() {
    const Token& first = now();
    ExpressionPtr one = slice();
    if (!now().is(",")) return one;
    auto tuple = make(Kind::kTuple, first);
    tuple->parts.push_back(std::move(one));
    while (accept(","))
      if (!now().is("]")) tuple->parts.push_back(slice());
    return closed(std::move(tuple));
  }

  ExpressionPtr slice() {
    const Token& first = now();
    ExpressionPtr begin = now().is(":") ? nullptr : starred();
    if (begin && !now().is(":")) return begin;
    auto made = make(Kind::kSlice, first);
    made->parts = {std::move(begin), nullptr, nullptr};
    for (std::size_t i = 1; i < 3 && accept(":"); ++i)
      if (!now().is(":") && !now().is(",") && !now().is("]")) made->parts[i] = expression();
    return closed(std::move(made));
  }

  ExpressionPtr atom() {
    const Token& first = now();
    switch (first.kind) {
      case Token::Kind::kNumber: {
        auto made = make(Kind::kConstant, take());
        made->constant = number_of(first.text);
        if (made->constant.is_null()) made->kind = Kind::kUnreadable;
        return closed(std::move(made));
      }
      case Token::Kind::kString:
      case Token::Kind::kFormatted:
        return string();
      case Token::Kind::kName:
        break;
      default:
        if (accept("(")) return parenthesis(first);
        if (accept("[")) return list(first);
        if (accept("{")) return dictionary(first);
        if (now().is("...")) {
          auto made = make(Kind::kName, take());
          made->words = {"..."};
          return closed(std::move(made));
        }
        expected("an expression");
    }
    auto made = make(Kind::kConstant, first);
    if (first.is("True") || first.is("False") || first.is("None")) {
      if (!first.is("None")) made->constant = first.is("True");
      take();
    } else {
      made->kind = Kind::kName;
      made->words = {name()};
    }
    return closed(std::move(made));
  }

  ExpressionPtr string() {
    auto made = make(Kind::kConstant, now());
    std::string value;
    while (now().kind == Token::Kind::kString || now().kind == Token::Kind::kFormatted) {
      if (now().kind == Token::Kind::kFormatted) made->kind = Kind::kUnreadable;
      value += take().text;
    }
    made->constant = std::move(value);
    return closed(std::move(made));
  }

  ExpressionPtr comprehension(const Token& first, ExpressionPtr element, bool plain) {
    auto made = make(Kind::kComprehension, first);
    accept("async");
    expect("for");
    ExpressionPtr target = targets();
    expect("in");
    ExpressionPtr source = logic("or");
    ExpressionPtr condition;
    while (accept("if")) {
      if (condition) plain = false;
      condition = logic("or");
    }
    while (now().is("for") || now().is("async")) {  // more than one loop
      plain = false;
      accept("async");
      take();
      targets();
      expect("in");
      logic("or");
      while (accept("if")) logic("or");
    }
    if (!plain) made->kind = Kind::kUnreadable;
    made->parts = {std::move(element), std::move(target), std::move(source), std::move(condition)};
    if (!plain) made->parts = {made->parts[2]};
    return closed(std::move(made));
  }

  /// Of a for: `in` is no operator here.
  ExpressionPtr targets() {
    const bool before = std::exchange(no_in_, true);
    ExpressionPtr target = expressions();
    no_in_ = before;
    return target;
  }

  ExpressionPtr parenthesis(const Token& first) {
    const bool before = std::exchange(no_in_, false);
    auto made = make(Kind::kTuple, first);
    bool tuple = now().is(")");
    ExpressionPtr generated;
    while (!now().is(")")) {
      made->parts.push_back(starred());
      if (now().is("for")) generated = comprehension(first, std::move(made->parts.back()), true);
      if (generated) break;
      if (!accept(",")) break;
      tuple = true;
    }
    expect(")");
    no_in_ = before;
    if (generated) return generated;
    if (!tuple) return made->parts.front();
    return closed(std::move(made));
  }

  ExpressionPtr list(const Token& first) {
    const bool before = std::exchange(no_in_, false);
    auto made = make(Kind::kList, first);
    ExpressionPtr generated;
    while (!now().is("]")) {
      made->parts.push_back(starred());
      if (now().is("for")) generated = comprehension(first, std::move(made->parts.back()), true);
      if (generated || !accept(",")) break;
    }
    expect("]");
    no_in_ = before;
    return generated ? generated : closed(std::move(made));
  }

  ExpressionPtr dictionary(const Token& first) {
    const bool before = std::exchange(no_in_, false);
    auto made = make(Kind::kDict, first);
    bool set = false;
    while (!now().is("}")) {
      ExpressionPtr key = starred();
      if (accept(":")) {
        made->parts.push_back(std::move(key));
        made->parts.push_back(expression());
      } else {
        set = true;
      }
      if (now().is("for")) {
        comprehension(first, nullptr, false);
        set = true;
      }
      if (!accept(",")) break;
    }
    expect("}");
    no_in_ = before;
    if (set) {
      made->kind = Kind::kUnreadable;
      made->parts.clear();
    }
    return closed(std::move(made));
  }

  std::vector<PythonParameter> parameters(std::string_view end) {
    std::vector<PythonParameter> all;
    while (!accept(end)) {
      PythonParameter parameter;
      if (now().is("*") || now().is("**")) parameter.stars = take().text == "*" ? 1 : 2;
      if (now().is("/")) take();
      if (now().kind == Token::Kind::kName) parameter.name = name();
      if (end == ")" && accept(":")) expression();
      if (accept("=")) parameter.value = expression();
      if (!parameter.name.empty()) all.push_back(std::move(parameter));
      if (!now().is(end)) expect(",");
    }
    return all;
  }

  // --- Statements ---

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

  const std::string& script_;
  const std::string& name_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
  bool no_in_ = false;
};

}  // namespace

std::vector<Statement> parse_python(const std::string& script, const std::string& name) {
  return Parser(script, name).run();
}

}  // namespace lockstep
