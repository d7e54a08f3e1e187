#include "distributed/training/option_text.hpp"

#include "src/core/printable.hpp"

namespace lockstep {

void refuse_option(const std::string& expected, const std::string& text) {
  fail(ExitCode::kUsage, "expected {}, got '{}'", expected, printable(text));
}

double read_number(const std::string& text, const NumberRange& range) {
  const auto value = parse_number<double>(text);
  if (!value || !range.contains(*value)) refuse_option(range.words, text);
  return *value;
}

bool read_switch(const std::string& text) {
  if (text == "true" || text == "yes" || text == "on" || text == "1") return true;
  if (text == "false" || text == "no" || text == "off" || text == "0") return false;
  refuse_option("true or false", text);
}

}  // namespace lockstep
