#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "io/import/byte_source.hpp"

namespace lockstep {

/// A text file, gzipped or plain, as UTF-8 with lines that end in LF, whatever it has: a byte order
/// mark, UTF-16, CR LF or CR.
class TextSource {
 public:
  /// Throws Error: as ByteSource; 65 for what is no text, naming what it is (a zip or Excel file,
  /// an HTML page, ...).
  explicit TextSource(const std::filesystem::path& path);

  const std::string& name() const { return source_.name(); }

  /// The next piece of some 256 KiB, valid until the next call; empty at the end.
  std::string_view next();

 private:
  enum class Encoding { kUtf8, kUtf16Little, kUtf16Big };

  void find_encoding();
  void decode_utf16(std::string_view bytes);
  void end_lines_in_lf();

  ByteSource source_;
  Encoding encoding_ = Encoding::kUtf8;
  std::vector<char> bytes_;  ///< as read
  std::size_t filled_ = 0;
  std::size_t begin_ = 0;  ///< behind the byte order mark
  std::string text_;
  char32_t high_surrogate_ = 0;
  bool after_return_ = false;  ///< the last piece ended in CR
};

}  // namespace lockstep
