#include "src/core/json_text.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>
#include <vector>

#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;

constexpr int kMaxDepth = 64;
constexpr std::size_t kMaxKeys = 200;  // of one object: look-ups in ordered_json are linear
constexpr ExitCode kCode = ExitCode::kBadData;

/// "line 3, column 14" of a byte; columns are bytes from 1.
std::string position(const std::string& text, std::size_t byte) {
  const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(byte, text.size()));
  const auto lines = std::count(text.begin(), end, '\n');
  const auto line = std::find(std::reverse_iterator(end), text.rend(), '\n').base();
  return fmt::format("line {}, column {}", lines + 1, end - line + 1);
}

void check_text_nesting(const std::string& text, const std::string& what) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char letter = text[i];
    if (in_string) {
      if (letter == '\\') ++i;
      if (letter == '"') in_string = false;
    } else if (letter == '"') {
      in_string = true;
    } else if (letter == '[' || letter == '{') {
      if (++depth > kMaxDepth)
        fail(kCode, "{}: {}: expected at most {} levels of nesting", what, position(text, i),
             kMaxDepth);
    } else if (letter == ']' || letter == '}') {
      --depth;
    }
  }
}

/// "[json.exception.parse_error.101] parse error at line 1, column 5: syntax error ..." without
/// what comes before the reason.
std::string reason_of(const std::exception& error, bool syntax) {
  std::string text = error.what();
  if (const std::size_t end = text.find("] "); end != std::string::npos) text.erase(0, end + 2);
  const std::size_t reason = syntax ? text.find(": ") : std::string::npos;
  if (reason != std::string::npos) text.erase(0, reason + 2);
  return printable(text);
}

/// Looks at the text before anything is built from it. (A callback of the parser that builds would
/// make it quadratic: it then searches each list again after each of its elements.)
class TextCheck final : public nlohmann::json_sax<ordered_json> {
 public:
  TextCheck(const std::string& text, const std::string& what) : text_(text), what_(what) {}

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }
  bool start_object(std::size_t) override {
    objects_.emplace_back();
    return true;
  }
  bool end_object() override {
    objects_.pop_back();
    return true;
  }
  bool key(string_t& key) override {
    auto& keys = objects_.back();
    check(keys.insert(key).second, kCode,
          "{}: expected every key of an object once, got '{}' twice", what_, printable(key, 80));
    check(keys.size() <= kMaxKeys, kCode, "{}: expected at most {} keys in an object", what_,
          kMaxKeys);
    return true;
  }
  bool parse_error(std::size_t byte, const std::string&,
                   const ordered_json::exception& error) override {
    const bool syntax = dynamic_cast<const ordered_json::parse_error*>(&error) != nullptr;
    if (!syntax) fail(kCode, "{}: {}", what_, reason_of(error, false));
    fail(kCode, "{}: {}: {}", what_, position(text_, byte > 0 ? byte - 1 : 0),
         reason_of(error, true));
  }

 private:
  const std::string& text_;
  const std::string& what_;
  std::vector<std::unordered_set<std::string>> objects_;
};

void check_depth(const ordered_json& json, const std::string& what, int depth) {
  check(depth <= kMaxDepth, kCode, "{}: expected at most {} levels of nesting", what, kMaxDepth);
  for (const ordered_json& element : json)
    if (element.is_structured()) check_depth(element, what, depth + 1);
}

}  // namespace

ordered_json parse_json(const std::string& text, const std::string& what) {
  check(text.size() <= kMaxJsonBytes, kCode, "{}: expected at most {} bytes of JSON, got {}", what,
        kMaxJsonBytes, text.size());
  check_text_nesting(text, what);
  TextCheck text_check(text, what);
  ordered_json::sax_parse(text, &text_check);
  try {
    return ordered_json::parse(text);
  } catch (const ordered_json::exception& error) {
    fail(kCode, "{}: {}", what, reason_of(error, false));
  }
}

void check_nesting(const ordered_json& json, const std::string& what) {
  check_depth(json, what, 1);
}

}  // namespace lockstep
