#include "launch/migrate/python_token.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

using Kind = Token::Kind;

// Longest first.
constexpr std::array<std::string_view, 46> kOperators = {
    "**=", "//=", ">>=", "<<=", "...", "**", "//", ">>", "<<", "<=", ">=", "==",
    "!=",  "->",  "+=",  "-=",  "*=",  "/=", "%=", "@=", "&=", "|=", "^=", ":=",
    "+",   "-",   "*",   "/",   "%",   "@",  "&",  "|",  "^",  "~",  "<",  ">",
    "(",   ")",   "[",   "]",   "{",   "}",  ",",  ":",  ".",  ";"};

bool begins_name(char letter) {
  const auto byte = static_cast<unsigned char>(letter);
  return std::isalpha(byte) || letter == '_' || byte >= 0x80;
}

bool is_digit(char letter) {
  return std::isdigit(static_cast<unsigned char>(letter)) != 0;
}

class Tokenizer {
 public:
  Tokenizer(const std::string& script, const std::string& name) : script_(script), name_(name) {}

  std::vector<Token> run() {
    check(script_.find('\0') == std::string::npos, ExitCode::kBadData,
          "[{}] expected a Python script, got a file with zero bytes", printable(name_));
    if (script_.starts_with("\xEF\xBB\xBF")) at_ = 3;
    while (at_ < script_.size()) {
      if (line_begins_ && brackets_.empty() && !begin_line()) continue;
      next();
    }
    check(brackets_.empty(), ExitCode::kBadData,
          "[{}] expected the bracket of line {} to be closed, got the end of the file",
          printable(name_), brackets_.empty() ? 0 : brackets_.back().line);
    if (!line_begins_) add(Kind::kNewline, at_);
    for (; indents_.size() > 1; indents_.pop_back()) add(Kind::kDedent, at_);
    add(Kind::kEnd, at_);
    return std::move(tokens_);
  }

 private:
  struct Bracket {
    char close;
    int line;
  };

  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < script_.size() ? script_[at_ + ahead] : '\0';
  }

  void add(Kind kind, std::size_t begin, std::string text = {}, int line = 0) {
    tokens_.push_back({kind, std::move(text), begin, at_, line == 0 ? line_ : line});
  }

  void skip_to_end_of_line() {
    while (at_ < script_.size() && script_[at_] != '\n') ++at_;
  }

  /// Indentation. False: the line is empty, and has been skipped.
  bool begin_line() {
    std::size_t column = 0;
    for (; peek() == ' ' || peek() == '\t' || peek() == '\f'; ++at_)
      column = peek() == '\t' ? (column / 8 + 1) * 8 : column + 1;
    if (peek() == '#' || peek() == '!' || peek() == '%') skip_to_end_of_line();
    if (peek() == '\r' && peek(1) == '\n') ++at_;
    if (at_ >= script_.size()) return false;
    if (peek() == '\n') {
      ++at_;
      ++line_;
      return false;
    }
    line_begins_ = false;
    if (column > indents_.back()) {
      indents_.push_back(column);
      check(indents_.size() <= 60, ExitCode::kBadData, "[{}] line {}: nested too deeply",
            printable(name_), line_);
      add(Kind::kIndent, at_);
    }
    for (; column < indents_.back(); indents_.pop_back()) add(Kind::kDedent, at_);
    check(column == indents_.back(), ExitCode::kBadData,
          "[{}] line {}: expected the indentation of a line above, got another", printable(name_),
          line_);
    return true;
  }

  void next() {
    const char letter = peek();
    if (letter == '\n') {
      if (brackets_.empty()) {
        add(Kind::kNewline, at_);
        line_begins_ = true;
      }
      ++at_;
      ++line_;
    } else if (letter == ' ' || letter == '\t' || letter == '\r' || letter == '\f') {
      ++at_;
    } else if (letter == '#') {
      skip_to_end_of_line();
    } else if (letter == '\\' && (peek(1) == '\n' || (peek(1) == '\r' && peek(2) == '\n'))) {
      at_ += peek(1) == '\n' ? 2 : 3;
      ++line_;
    } else if (const std::size_t quote = string_prefix(); quote != std::string::npos) {
      string(quote);
    } else if (begins_name(letter)) {
      const std::size_t begin = at_;
      while (begins_name(peek()) || is_digit(peek())) ++at_;
      add(Kind::kName, begin, script_.substr(begin, at_ - begin));
    } else if (is_digit(letter) || (letter == '.' && is_digit(peek(1)))) {
      number();
    } else {
      operation();
    }
  }

  /// How many letters stand in front of a string's quote; npos: no string begins here.
  std::size_t string_prefix() const {
    std::size_t length = 0;
    for (; length < 3; ++length) {
      const char letter = peek(length);
      if (letter == '\'' || letter == '"') return length;
      if (std::string_view("rRbBuUfF").find(letter) == std::string_view::npos || letter == '\0')
        break;
    }
    return std::string::npos;
  }

  void string(std::size_t prefix_length) {
    const std::size_t begin = at_;
    const int line = line_;
    const std::string prefix = script_.substr(at_, prefix_length);
    const bool raw = prefix.find_first_of("rR") != std::string::npos;
    const bool formatted = prefix.find_first_of("fF") != std::string::npos;
    at_ += prefix_length;
    const char quote = peek();
    const std::size_t quotes = peek(1) == quote && peek(2) == quote ? 3 : 1;
    at_ += quotes;
    std::string value;
    const auto closes = [&] {
      return peek() == quote && (quotes == 1 || (peek(1) == quote && peek(2) == quote));
    };
    while (!closes()) {
      check(at_ < script_.size() && (quotes == 3 || peek() != '\n'), ExitCode::kBadData,
            "[{}] line {}: expected the string to be closed", printable(name_), line);
      if (peek() == '\\' && at_ + 1 < script_.size()) {
        if (raw || std::string_view("\\'\"nt\n").find(peek(1)) == std::string_view::npos)
          value += '\\';
        ++at_;
        if (peek() == '\n') ++line_;
        if (raw || peek() != '\n') value += raw ? peek() : unescaped(peek());
        ++at_;
        continue;
      }
      if (peek() == '\n') ++line_;
      value += peek();
      ++at_;
    }
    at_ += quotes;
    add(formatted ? Kind::kFormatted : Kind::kString, begin, std::move(value), line);
  }

  static char unescaped(char letter) {
    return letter == 'n' ? '\n' : letter == 't' ? '\t' : letter;
  }

  void number() {
    const std::size_t begin = at_;
    const bool hex = peek() == '0' && std::string_view("xXoObB").find(peek(1)) != std::string::npos;
    while (is_digit(peek()) || begins_name(peek()) || peek() == '.' ||
           (!hex && (peek() == '+' || peek() == '-') &&
            (script_[at_ - 1] == 'e' || script_[at_ - 1] == 'E')))
      ++at_;
    std::string text = script_.substr(begin, at_ - begin);
    std::erase(text, '_');
    add(Kind::kNumber, begin, std::move(text));
  }

  void operation() {
    const std::size_t begin = at_;
    const std::string_view rest = std::string_view(script_).substr(at_, 3);
    const auto found = std::ranges::find_if(
        kOperators, [&](std::string_view known) { return rest.starts_with(known); });
    if (found != kOperators.end()) {
      at_ += found->size();
    } else {
      check(peek() == '=', ExitCode::kBadData, "[{}] line {}: expected Python, got '{}'",
            printable(name_), line_, printable(rest.substr(0, 1)));
      ++at_;
    }
    const std::string text = script_.substr(begin, at_ - begin);
    if (text == "(" || text == "[" || text == "{") {
      brackets_.push_back({text == "(" ? ')' : text == "[" ? ']' : '}', line_});
    } else if (text == ")" || text == "]" || text == "}") {
      check(!brackets_.empty() && brackets_.back().close == text[0], ExitCode::kBadData,
            "[{}] line {}: expected no '{}' here", printable(name_), line_, text);
      brackets_.pop_back();
    }
    add(Kind::kOperator, begin, text);
  }

  const std::string& script_;
  const std::string& name_;
  std::size_t at_ = 0;
  int line_ = 1;
  bool line_begins_ = true;
  std::vector<std::size_t> indents_ = {0};
  std::vector<Bracket> brackets_;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> python_tokens(const std::string& script, const std::string& name) {
  return Tokenizer(script, name).run();
}

}  // namespace lockstep
