#include "launch/cli/config_file.hpp"

#include <algorithm>
#include <string_view>

#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

constexpr std::string_view kBlanks = " \t\r";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return "";
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

/// `text` up to a `#` that begins a comment.
std::string_view without_comment(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '#' && (i == 0 || kBlanks.find(text[i - 1]) != std::string_view::npos)) {
      return text.substr(0, i);
    }
  }
  return text;
}

/// One line of a file, for its errors.
struct Place {
  const std::string& name;
  int line;

  template <class... Args>
  void expect(bool condition, fmt::format_string<Args...> format, Args&&... args) const {
    if (condition) return;
    fail(ExitCode::kUsage, "[{}] line {}: {}", printable(name), line,
         fmt::format(format, std::forward<Args>(args)...));
  }
};

/// `text` begins with the opening quote.
std::string unquoted(std::string_view text, const Place& place) {
  std::string value;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') {
      place.expect(trimmed(without_comment(text.substr(i + 1))).empty(),
                   "expected nothing behind the closing quote, got '{}'",
                   printable(text.substr(i + 1)));
      return value;
    }
    if (text[i] == '\\' && i + 1 < text.size()) {
      ++i;
      value += text[i] == 'n' ? '\n' : text[i];
    } else {
      value += text[i];
    }
  }
  place.expect(false, "expected a closing quote, got {}", printable(text));
  return value;
}

}  // namespace

std::vector<ConfigEntry> parse_config(const std::string& text, const std::string& name) {
  std::vector<ConfigEntry> entries;
  std::string_view rest = text;
  for (int line = 1; !rest.empty(); ++line) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view content = trimmed(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (content.empty() || content.front() == '#') continue;

    const Place place{name, line};
    const std::size_t equals = content.find('=');
    place.expect(equals != std::string_view::npos, "expected 'key = value', got '{}'",
                 printable(content));
    const std::string key(trimmed(content.substr(0, equals)));
    const std::string_view raw = trimmed(content.substr(equals + 1));
    for (const ConfigEntry& earlier : entries) {
      place.expect(earlier.key != key, "expected '{}' once, got it in line {} already",
                   printable(key), earlier.line);
    }
    entries.push_back(
        {key,
         raw.starts_with('"') ? unquoted(raw, place) : std::string(trimmed(without_comment(raw))),
         line});
  }
  return entries;
}

std::string config_line(const std::string& key, const std::string& value) {
  const bool plain = value.find_first_of("#\"\\\n\r") == std::string::npos &&
                     trimmed(value).size() == value.size();
  if (plain) return fmt::format("{} = {}\n", key, value);
  std::string quoted;
  for (const char letter : value) {
    if (letter == '"' || letter == '\\') quoted += '\\';
    quoted += letter == '\n' ? std::string("\\n") : std::string(1, letter);
  }
  return fmt::format("{} = \"{}\"\n", key, quoted);
}

}  // namespace lockstep
