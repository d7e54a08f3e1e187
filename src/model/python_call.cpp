#include "src/model/python_call.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;

constexpr int kMaxDepth = 16;

bool is_digit(char letter) {
  return letter >= '0' && letter <= '9';
}
bool starts_name(char letter) {
  return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || letter == '_';
}
bool is_space(char letter) {
  return letter == ' ' || letter == '\t' || letter == '\n' || letter == '\r';
}

/// Recursive descent; one function for each rule of the grammar.
class Parser {
 public:
  explicit Parser(const std::string& text) : text_(text) {}

  std::vector<PythonCall> calls() {
    std::vector<PythonCall> result;
    do {
      if (at_end() && !result.empty()) break;  // after a trailing comma
      const std::size_t start = skip_space();
      const std::string called = name("a layer such as Dense(64, relu)");
      result.push_back(call(called, start));
    } while (accept(','));
    if (!at_end()) expected("',' or the end of the text");
    return result;
  }

 private:
  /// Behind the name of a call that began at `start`.
  PythonCall call(const std::string& called, std::size_t start) {
    PythonCall result{called, {}, start + 1};
    if (!accept('(')) expected("'(' after " + printable(called, 40));
    while (!accept(')')) {
      result.arguments.push_back(argument(result.arguments));
      if (accept(',')) continue;
      if (!accept(')')) expected("',' or ')'");
      break;
    }
    return result;
  }

  PythonArgument argument(const std::vector<PythonArgument>& before) {
    PythonArgument result;
    const std::size_t start = skip_space();
    result.column = start + 1;
    if (at_keyword()) {
      result.keyword = name("a name");
      accept('=');
      const auto same = std::ranges::find(before, result.keyword, &PythonArgument::keyword);
      if (same != before.end()) {
        position_ = start;
        expected("'" + printable(result.keyword, 40) + "' once");
      }
    } else if (!before.empty() && !before.back().keyword.empty()) {
      expected("name=value behind a keyword argument");
    }
    result.value = value(0);
    return result;
  }

  bool at_keyword() {
    std::size_t end = position_;
    while (end < text_.size() &&
           (starts_name(text_[end]) || (end > position_ && is_digit(text_[end]))))
      ++end;
    if (end == position_) return false;
    while (end < text_.size() && is_space(text_[end])) ++end;
    return end < text_.size() && text_[end] == '=';
  }

  PythonValue value(int depth) {
    const char next = peek();
    if (depth > kMaxDepth) expected(fmt::format("at most {} brackets in each other", kMaxDepth));
    if (next == '\'' || next == '"') return {string(next), nullptr};
    if (next == '(' || next == '[') return list(depth);
    if (is_digit(next) || next == '.' || next == '-' || next == '+') return {fraction(), nullptr};
    if (starts_name(next)) return word();
    expected("a value");
  }

  PythonValue word() {
    const std::size_t start = skip_space();
    const std::string text = name("a value");
    if (peek() == '(') {
      if (++calls_ > kMaxDepth) expected(fmt::format("at most {} calls in each other", kMaxDepth));
      auto called = std::make_shared<const PythonCall>(call(text, start));
      --calls_;
      return {nullptr, std::move(called)};
    }
    if (text == "True" || text == "true") return {true, nullptr};
    if (text == "False" || text == "false") return {false, nullptr};
    if (text == "None" || text == "null") return {nullptr, nullptr};
    return {text, nullptr};
  }

  /// (7, 4) or [7, 4]; (7) is 7, as in Python.
  PythonValue list(int depth) {
    const char close = text_[position_++] == '(' ? ')' : ']';
    std::vector<PythonValue> values;
    bool comma = close == ']', literals = true;
    while (!accept(close)) {
      values.push_back(value(depth + 1));
      literals = literals && !values.back().call && values.back().list.empty();
      if (accept(',')) {
        comma = true;
      } else if (peek() != close) {
        expected(fmt::format("',' or '{}'", close));
      }
    }
    if (values.size() == 1 && !comma) return values.front();
    if (!literals) return {nullptr, nullptr, std::move(values)};
    ordered_json json = ordered_json::array();
    for (PythonValue& literal : values) json.push_back(std::move(literal.json));
    return {std::move(json)};
  }

  ordered_json fraction() {
    ordered_json result = number();
    while (peek() == '/') {
      ++position_;
      skip_space();
      const std::size_t start = position_;
      const double divisor = number().get<double>();
      if (divisor == 0) {
        position_ = start;
        expected("a number other than zero");
      }
      result = result.get<double>() / divisor;
    }
    return result;
  }

  /// An integer of 64 bits if it looks like one, else a finite double.
  ordered_json number() {
    const std::size_t start = skip_space();
    const bool signed_number = peek() == '-' || peek() == '+';
    if (peek() == '+') ++position_;  // which from_chars does not take
    const char* first = text_.data() + position_;
    const char* last = text_.data() + text_.size();
    const std::size_t digits = start + (signed_number ? 1 : 0);
    const bool plausible =
        digits < text_.size() && (is_digit(text_[digits]) || text_[digits] == '.');
    double real = 0;
    const auto [end, error] = std::from_chars(first, last, real);
    if (!plausible || error != std::errc() || !std::isfinite(real)) {
      position_ = start;
      expected("a number");
    }
    position_ = static_cast<std::size_t>(end - text_.data());
    std::int64_t integer = 0;
    const auto [integer_end, integer_error] = std::from_chars(first, end, integer);
    if (integer_end == end && integer_error == std::errc()) return integer;
    return real;
  }

  std::string string(char quote) {
    const std::size_t start = position_;
    const std::size_t end = text_.find(quote, start + 1);
    if (end == std::string::npos) {
      position_ = text_.size();
      expected(fmt::format("{} to close the string of column {}", quote, start + 1));
    }
    position_ = end + 1;
    return text_.substr(start + 1, end - start - 1);
  }

  /// The last part of a dotted name.
  std::string name(const std::string& what) {
    if (!starts_name(peek())) expected(what);
    std::string part;
    for (; position_ < text_.size(); ++position_) {
      const char letter = text_[position_];
      const bool more = position_ + 1 < text_.size() && starts_name(text_[position_ + 1]);
      if (letter == '.' && more) {
        part.clear();
      } else if (starts_name(letter) || is_digit(letter)) {
        part += letter;
      } else {
        break;
      }
    }
    return part;
  }

  std::size_t skip_space() {
    while (position_ < text_.size() && is_space(text_[position_])) ++position_;
    return position_;
  }
  bool at_end() { return skip_space() == text_.size(); }
  /// The next character that is no space; NUL at the end.
  char peek() { return at_end() ? '\0' : text_[position_]; }
  bool accept(char letter) {
    if (at_end() || text_[position_] != letter) return false;
    ++position_;
    return true;
  }

  [[noreturn]] void expected(const std::string& what) {
    std::string found = "the end of the text";
    if (!at_end()) {
      std::size_t end = position_ + 1;
      const auto joins = [](char letter) {
        return starts_name(letter) || is_digit(letter) || letter == '.';
      };
      if (joins(text_[position_]))
        while (end < text_.size() && joins(text_[end])) ++end;
      found = "'" + printable(text_.substr(position_, end - position_), 40) + "'";
    }
    fail(ExitCode::kUsage, "[layers] column {}: expected {}, got {}", position_ + 1, what, found);
  }

  const std::string& text_;
  std::size_t position_ = 0;
  int calls_ = 0;
};

}  // namespace

std::vector<PythonCall> parse_python_calls(const std::string& text) {
  return Parser(text).calls();
}

}  // namespace lockstep
