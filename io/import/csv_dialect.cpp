#include "io/import/csv_dialect.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

namespace lockstep {
namespace {

constexpr std::size_t kMostLines = 100;
constexpr char kInQuotes = '\1';  // stands for what is quoted

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

/// The first lines, without comments and blank ones; quoted text is masked.
std::vector<std::string> lines_of(std::string_view sample) {
  std::vector<std::string> lines;
  std::string line;
  bool quoted = false;
  const auto finish = [&] {
    const std::size_t last = line.find_last_not_of(" \t");
    if (last != line.npos && line.front() != '#') lines.push_back(line);
    line.clear();
  };
  for (const char c : sample) {
    if (c == '\n' && !quoted) {
      finish();
      if (lines.size() == kMostLines) return lines;
    } else if (c == '"') {
      quoted = !quoted;
      line += kInQuotes;
    } else {
      line += quoted ? kInQuotes : c;
    }
  }
  if (lines.empty()) finish();  // else it may have been cut
  if (!line.empty() && lines.size() == 1) finish();
  return lines;
}

std::vector<std::string_view> fields_of(std::string_view line, char separator) {
  std::vector<std::string_view> fields;
  std::size_t begin = 0;
  const auto skip_blanks = [&] {
    while (separator == kBlanks && begin < line.size() && is_blank(line[begin])) ++begin;
  };
  skip_blanks();
  do {
    std::size_t end = begin;
    while (end < line.size() &&
           !(separator == kBlanks ? is_blank(line[end]) : line[end] == separator))
      ++end;
    fields.push_back(line.substr(begin, end - begin));
    begin = end + 1;
    skip_blanks();
  } while (begin < line.size() || (separator != kBlanks && begin == line.size()));
  return fields;
}

/// The fields of every line, 0 if the lines differ. A header may be one short: R's row names.
std::size_t common_fields(const std::vector<std::string>& lines, char separator) {
  const std::size_t first = fields_of(lines.front(), separator).size();
  const std::size_t count = lines.size() == 1 ? first : fields_of(lines[1], separator).size();
  const auto agrees = [&](const std::string& line) {
    return fields_of(line, separator).size() == count;
  };
  const bool header_fits = first == count || first + 1 == count || first == count + 1;
  const bool all = header_fits && std::all_of(lines.begin() + 1, lines.end(), agrees);
  return all && std::min(first, count) > 1 ? count : 0;
}

/// Whether each comma stands between two digits, at most one in a field of this separator.
bool commas_are_decimal(const std::vector<std::string>& lines, char separator) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  for (const std::string& line : lines) {
    for (const std::string_view field : fields_of(line, separator)) {
      const std::size_t comma = field.find(',');
      if (comma == field.npos) continue;
      const bool decimal = comma > 0 && digit(field[comma - 1]) && comma + 1 < field.size() &&
                           digit(field[comma + 1]) && field.find(',', comma + 1) == field.npos;
      if (!decimal) return false;
    }
  }
  return true;
}

bool has_runs_of_blanks(const std::vector<std::string>& lines) {
  return std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
    const std::size_t text = line.find_first_not_of(" \t");
    return line.find("  ", text) != line.npos || line.find("\t\t", text) != line.npos;
  });
}

char most_frequent_in(const std::string& line) {
  char best = ',';
  std::ptrdiff_t most = 0;
  for (const char c : {'\t', ';', ',', '|'}) {
    const std::ptrdiff_t count = std::count(line.begin(), line.end(), c);
    if (count > most) best = c;
    most = std::max(most, count);
  }
  return best;
}

}  // namespace

char find_separator(std::string_view sample) {
  const std::vector<std::string> lines = lines_of(sample);
  if (lines.empty()) return ',';
  char best = 0;
  std::size_t fields = 0;
  for (const char c : {'\t', ';', '|'}) {
    const std::size_t count = common_fields(lines, c);
    if (count > fields) best = c;
    fields = std::max(fields, count);
  }
  const std::size_t blank_fields = common_fields(lines, kBlanks);
  const bool tabs_may_align = best == '\t' && has_runs_of_blanks(lines);
  if (blank_fields > fields && (best == 0 || tabs_may_align)) best = kBlanks;
  const bool by_commas = common_fields(lines, ',') > 0;
  if (best != 0 && (!by_commas || commas_are_decimal(lines, best))) return best;
  return by_commas ? ',' : most_frequent_in(lines.front());
}

const char* separator_name(char separator) {
  switch (separator) {
    case ';':
      return "semicolon";
    case '\t':
      return "tab";
    case '|':
      return "bar";
    case kBlanks:
      return "blanks";
    default:
      return "comma";
  }
}

}  // namespace lockstep
