#include "launch/migrate/python_expressions.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <set>
#include <string_view>

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;

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

}  // namespace

const Token& PythonExpressions::ahead(std::size_t count) const {
  return tokens_[std::min(at_ + count, tokens_.size() - 1)];
}

bool PythonExpressions::accept(std::string_view word) {
  if (!now().is(word)) return false;
  take();
  return true;
}

void PythonExpressions::expected(std::string_view what) const {
  const Token& got = now();
  std::string text = printable(script_.substr(got.begin, got.end - got.begin), 40);
  if (got.kind == Token::Kind::kNewline || got.kind == Token::Kind::kDedent)
    text = "the end of the line";
  if (got.kind == Token::Kind::kIndent) text = "an indented line";
  if (got.kind == Token::Kind::kEnd) text = "the end of the file";
  fail(ExitCode::kBadData, "[{}] line {}: expected {}, got {}: is this a script of Python 3?",
       printable(name_), got.line, what, text);
}

void PythonExpressions::expect(std::string_view word) {
  if (!accept(word)) expected(fmt::format("'{}'", word));
}

std::string PythonExpressions::name() {
  if (now().kind != Token::Kind::kName || kKeywords.contains(now().text)) expected("a name");
  return take().text;
}

void PythonExpressions::check_length(int length) const {
  check(length <= 1000, ExitCode::kBadData, "[{}] line {}: an expression is too long",
        printable(name_), now().line);
}

std::shared_ptr<Expression> PythonExpressions::make(Kind kind, const Token& first) {
  auto made = std::make_shared<Expression>();
  made->kind = kind;
  made->line = first.line;
  made->begin = first.begin;
  return made;
}

ExpressionPtr PythonExpressions::closed(std::shared_ptr<Expression> made) {
  for (const ExpressionPtr& part : made->parts)
    if (part) made->depth = std::max(made->depth, part->depth + 1);
  for (const PythonParameter& argument : made->arguments)
    if (argument.value) made->depth = std::max(made->depth, argument.value->depth + 1);
  check_length(made->depth);
  made->end = tokens_[at_ - 1].end;
  return made;
}

ExpressionPtr PythonExpressions::with_parts(Kind kind, ExpressionPtr first,
                                            std::vector<std::string> words,
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

ExpressionPtr PythonExpressions::expressions() {
  const Token& first = now();
  ExpressionPtr one = starred();
  if (!now().is(",")) return one;
  auto tuple = make(Kind::kTuple, first);
  tuple->parts.push_back(std::move(one));
  while (accept(","))
    if (begins_expression()) tuple->parts.push_back(starred());
  return closed(std::move(tuple));
}

bool PythonExpressions::begins_expression() const {
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

ExpressionPtr PythonExpressions::starred() {
  if (!now().is("*") && !now().is("**")) return expression();
  auto made = make(Kind::kUnreadable, now());
  made->words = {take().text};
  made->parts.push_back(expression());
  return closed(std::move(made));
}

ExpressionPtr PythonExpressions::expression() {
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

ExpressionPtr PythonExpressions::logic(const std::string& word) {
  const auto part = [&] { return word == "or" ? logic("and") : negation(); };
  ExpressionPtr first = part();
  if (!now().is(word)) return first;
  std::vector<ExpressionPtr> others;
  while (accept(word)) others.push_back(part());
  return with_parts(Kind::kLogic, std::move(first), {word}, std::move(others));
}

ExpressionPtr PythonExpressions::negation() {
  const Token& first = now();
  if (!accept("not")) return comparison();
  const Depth depth(*this);
  auto made = make(Kind::kUnary, first);
  made->words = {"not"};
  made->parts.push_back(negation());
  return closed(std::move(made));
}

std::optional<std::string> PythonExpressions::comparing() {
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

ExpressionPtr PythonExpressions::comparison() {
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

ExpressionPtr PythonExpressions::binary(std::size_t level) {
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

ExpressionPtr PythonExpressions::unary() {
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

ExpressionPtr PythonExpressions::trailed() {
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

std::vector<PythonParameter> PythonExpressions::arguments() {
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

ExpressionPtr PythonExpressions::subscript() {
  const Token& first = now();
  ExpressionPtr one = slice();
  if (!now().is(",")) return one;
  auto tuple = make(Kind::kTuple, first);
  tuple->parts.push_back(std::move(one));
  while (accept(","))
    if (!now().is("]")) tuple->parts.push_back(slice());
  return closed(std::move(tuple));
}

ExpressionPtr PythonExpressions::slice() {
  const Token& first = now();
  ExpressionPtr begin = now().is(":") ? nullptr : starred();
  if (begin && !now().is(":")) return begin;
  auto made = make(Kind::kSlice, first);
  made->parts = {std::move(begin), nullptr, nullptr};
  for (std::size_t i = 1; i < 3 && accept(":"); ++i)
    if (!now().is(":") && !now().is(",") && !now().is("]")) made->parts[i] = expression();
  return closed(std::move(made));
}

ExpressionPtr PythonExpressions::atom() {
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

ExpressionPtr PythonExpressions::string() {
  auto made = make(Kind::kConstant, now());
  std::string value;
  while (now().kind == Token::Kind::kString || now().kind == Token::Kind::kFormatted) {
    if (now().kind == Token::Kind::kFormatted) made->kind = Kind::kUnreadable;
    value += take().text;
  }
  made->constant = std::move(value);
  return closed(std::move(made));
}

ExpressionPtr PythonExpressions::comprehension(const Token& first, ExpressionPtr element,
                                               bool plain) {
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

ExpressionPtr PythonExpressions::targets() {
  const bool before = std::exchange(no_in_, true);
  ExpressionPtr target = expressions();
  no_in_ = before;
  return target;
}

ExpressionPtr PythonExpressions::parenthesis(const Token& first) {
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

ExpressionPtr PythonExpressions::list(const Token& first) {
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

ExpressionPtr PythonExpressions::dictionary(const Token& first) {
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

std::vector<PythonParameter> PythonExpressions::parameters(std::string_view end) {
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
}  // namespace lockstep
