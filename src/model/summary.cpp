#include "src/model/summary.hpp"

#include <fmt/format.h>

#include <array>

#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

// Keras 2.15's table of a Sequential: 65 columns, cut at 45 %, 85 % and 100 %.
constexpr std::size_t kWidth = 65;
constexpr std::array<std::size_t, 3> kEnds = {29, 55, 65};

std::string line_of(char letter) {
  return std::string(kWidth, letter) + "\n";
}

bool continues_letter(char byte) {
  return (static_cast<unsigned char>(byte) & 0xc0) == 0x80;
}

/// The bytes of at most so many letters of UTF-8 text.
std::size_t whole_letters(const std::string& text, std::size_t letters) {
  std::size_t end = 0;
  while (end < text.size() && (continues_letter(text[end]) || letters-- > 0)) ++end;
  return end;
}

/// The letters in the first bytes of a text.
std::size_t columns(const std::string& text, std::size_t bytes) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < bytes; ++i) count += continues_letter(text[i]) ? 0 : 1;
  return count;
}

/// One row; fields that are too long go on in the next line.
std::string row(std::array<std::string, 3> fields) {
  std::string text;
  while (!(fields[0].empty() && fields[1].empty() && fields[2].empty())) {
    std::string line = " ";
    std::size_t width = 1;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      const std::size_t start = i == 0 ? 0 : kEnds[i - 1];
      const std::size_t gap = i + 1 < fields.size() ? 3 : 0;
      const std::size_t room = kEnds[i] - start - gap;
      const std::size_t cut = whole_letters(fields[i], room);
      width += columns(fields[i], cut);
      line += fields[i].substr(0, cut) + std::string(kEnds[i] - width, ' ');
      width = kEnds[i];
      fields[i].erase(0, cut);
    }
    text += line + "\n";
  }
  return text;
}

/// "205.66 KB" as Keras writes it.
std::string memory_size(std::int64_t parameters) {
  static constexpr std::array kUnits = {"Byte", "KB", "MB", "GB", "TB"};
  double size = static_cast<double>(parameters) * sizeof(float);
  std::size_t unit = 0;
  for (; size >= 1024 && unit + 1 < kUnits.size(); ++unit) size /= 1024;
  return fmt::format("{:.2f} {}", size, kUnits[unit]);
}

std::string total(const char* what, std::int64_t parameters) {
  return fmt::format("{}: {} ({})\n", what, parameters, memory_size(parameters));
}

}  // namespace

std::string summary(const Network& model) {
  check(model.built(), ExitCode::kUsage, "[{}] expected build() before summary()", model.name());
  std::string text = fmt::format("Model: \"{}\"\n", printable(model.name())) + line_of('_') +
                     row({"Layer (type)", "Output Shape", "Param #"}) + line_of('=');
  std::int64_t trained = 0;
  std::int64_t frozen = 0;
  for (std::size_t i = 0; i < model.layers().size(); ++i) {
    const Layer& layer = *model.layers()[i];
    if (layer.class_name() == "InputLayer") continue;  // Keras's Network does not list it
    std::int64_t count = 0;
    for (const Parameter& parameter : layer.parameters()) {
      const std::int64_t elements = element_count(parameter.shape);
      count += elements;
      (parameter.trained() ? trained : frozen) += elements;
    }
    text += row({fmt::format("{} ({})", printable(layer.name()), layer.class_name()),
                 to_string_batched(model.output_shape_of(i)), std::to_string(count)});
    text += line_of(' ');
  }
  return text + line_of('=') + total("Total params", trained + frozen) +
         total("Trainable params", trained) + total("Non-trainable params", frozen) + line_of('_');
}

}  // namespace lockstep
