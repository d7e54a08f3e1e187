#include "io/files/file_kind.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <vector>

#include "io/files/file_kind_table.hpp"
#include "io/files/posix_file.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;
using namespace std::string_view_literals;
using enum FileKind;

constexpr std::size_t kLooked = std::size_t{1} << 16;  ///< bytes of each end

/// The two ends of a file; the last bytes may be among the first.
struct Ends {
  std::string_view head;
  std::string_view tail;
  std::uint64_t size = 0;
};

constexpr std::string_view kHdf5Signature = "\x89HDF\r\n\x1a\n";

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;)
    value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

/// The signature may stand behind a block of the user's, of 512 bytes or a power of two times that.
/// In a zip archive a member with a signature may happen to stand there.
std::size_t hdf5_start(std::string_view head) {
  if (head.starts_with("PK\x03\x04")) return head.npos;
  for (std::size_t at = 0; at + 48 <= head.size(); at = at == 0 ? 512 : at * 2)
    if (head.substr(at).starts_with(kHdf5Signature)) return at;
  return head.npos;
}

/// By the superblock (HDF5 File Format Specification, II.A).
FileKind kind_of_hdf5(const Ends& ends, std::size_t start) {
  const std::string_view block = ends.head.substr(start);
  const auto version = static_cast<unsigned char>(block[8]);
  if (version > 3) return kNewerHdf5;
  const std::size_t address_bytes = static_cast<unsigned char>(block[version < 2 ? 13 : 9]);
  if (address_bytes != 8) return kHdf5;
  const std::size_t base_at = version == 0 ? 24 : version == 1 ? 28 : 12;
  if (block.size() < base_at + 24) return kTruncatedHdf5;
  const std::uint64_t end = little_endian(block.substr(base_at + 16, 8));
  return end > ends.size ? kTruncatedHdf5 : kHdf5;
}

/// Names of the members of a zip archive, as far as the two ends show them.
std::string zip_names(const Ends& ends) {
  std::string names;
  const auto look = [&](std::string_view bytes, std::string_view signature, std::size_t length_at,
                        std::size_t name_at) {
    for (std::size_t at = bytes.find(signature); at != bytes.npos;
         at = bytes.find(signature, at + 4)) {
      if (at + name_at > bytes.size()) break;
      const auto length = static_cast<std::size_t>(little_endian(bytes.substr(at + length_at, 2)));
      names += std::string(bytes.substr(at + name_at, length)) + '\n';
    }
  };
  look(ends.head, "PK\x03\x04", 26, 30);
  look(ends.tail, "PK\x01\x02", 28, 46);
  return names;
}

FileKind kind_of_zip(const Ends& ends) {
  const std::string names = zip_names(ends);
  const auto has = [&](std::string_view part) { return names.find(part) != names.npos; };
  if (has("model.weights.h5\n") || (has("config.json\n") && has("metadata.json\n")))
    return kKerasArchive;
  if (has("data.pkl\n")) return kTorch;
  if (has(".npy\n")) return kNpz;
  if (has("[Content_Types].xml\n")) return kExcel;
  return kZip;
}

/// Whether these are characters of a text in UTF-8 or one of its 8-bit forerunners.
bool is_text(std::string_view head) {
  return std::none_of(head.begin(), head.end(), [](char letter) {
    const auto byte = static_cast<unsigned char>(letter);
    return (byte < 0x20 &&
            std::string_view("\t\n\r\f\x1b").find(letter) == std::string_view::npos) ||
           byte == 0x7f;
  });
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& letter : result)
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  return result;
}

/// Whether two lines have as many of one separator, and some.
bool is_table(std::string_view text) {
  const std::size_t end = text.find('\n');
  if (end == text.npos) return false;
  const std::string_view first = text.substr(0, end);
  const std::string_view rest = text.substr(end + 1);
  const std::string_view second = rest.substr(0, rest.find('\n'));
  return std::ranges::any_of(",;\t"sv, [&](char separator) {
    const auto count = std::ranges::count(first, separator);
    return count > 0 && count == std::ranges::count(second, separator);
  });
}

FileKind kind_of_text(std::string_view head) {
  std::string_view text = head;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  if (text.starts_with("version https://git-lfs")) return kGitLfsPointer;
  if (head.size() < 4096 && text.find("annex/objects/") != text.npos) return kGitAnnexPointer;
  const std::string start = lower(text.substr(0, 1024));
  if (start.starts_with("<!doctype html") || start.starts_with("<html") ||
      start.starts_with("<head"))
    return kHtml;
  if (start.starts_with("<?xml")) return start.find("<html") != start.npos ? kHtml : kXml;
  if (start.starts_with("<stata_dta>")) return kStata;
  if (text.starts_with('{') || text.starts_with('[') || text.starts_with("\"{")) {
    const bool model = text.find("class_name") != text.npos && text.find("config") != text.npos;
    return model ? kKerasJson : kJson;
  }
  return is_table(text) ? kTable : kText;
}

/// IDX: two zeros, a type, the number of axes.
bool is_idx(const Ends& ends) {
  const std::string_view head = ends.head;
  if (head.size() < 8 || head[0] != 0 || head[1] != 0) return false;
  const bool type = "\x08\x09\x0b\x0c\x0d\x0e"sv.find(head[2]) != std::string_view::npos;
  return type && head[3] >= 1 && head[3] <= 8;
}

bool is_pickle(const Ends& ends) {
  return ends.head.size() >= 3 && ends.head[0] == '\x80' && ends.head[1] >= 2 &&
         ends.head[1] <= 5 && (ends.tail.empty() || ends.tail.back() == '.');
}

/// A protobuf that begins with its version (1) and its producer (2) or graph (7), which names
/// ONNX's domain or operators before long.
bool is_onnx(const Ends& ends) {
  const std::string_view head = ends.head;
  return head.size() > 3 && head[0] == '\x08' && head[1] > 0 && head[1] < 0x20 &&
         (head[2] == '\x12' || head[2] == '\x3a' || head[2] == '\x42') &&
         (head.find("onnx") != head.npos || head.find("pytorch") != head.npos ||
          head.find("Gemm") != head.npos || head.find("MatMul") != head.npos);
}

/// saved_model.pb, or the index of a checkpoint (a table of LevelDB).
bool is_tf_graph(const Ends& ends) {
  return ends.head.starts_with("\x08\x01\x12") ||
         ends.tail.ends_with("\x57\xfb\x80\x8b\x24\x75\x47\xdb");
}

bool is_safetensors(const Ends& ends) {
  return ends.head.size() > 9 && ends.head.substr(8).starts_with("{\"") &&
         little_endian(ends.head.substr(0, 8)) < ends.size;
}

FileKind kind_of(const Ends& ends) {
  const std::string_view head = ends.head;
  if (head.empty()) return kEmpty;
  if (const std::size_t start = hdf5_start(head); start != head.npos)
    return kind_of_hdf5(ends, start);
  if (head.starts_with(kHdf5Signature.substr(0, std::min<std::size_t>(head.size(), 8))))
    return head.size() >= 4 ? kTruncatedHdf5 : kUnknown;
  if (head.starts_with("PK\x03\x04") || head.starts_with("PK\x05\x06")) return kind_of_zip(ends);
  for (const FileMagic& magic : file_magics())
    if (head.size() > magic.offset && head.substr(magic.offset).starts_with(magic.bytes))
      return magic.kind;
  if (head.starts_with("\xff\xfe") || head.starts_with("\xfe\xff")) return kUtf16Text;
  if (is_text(head)) return kind_of_text(head);
  if (is_idx(ends)) return kIdx;
  if (is_pickle(ends)) return kPickle;
  if (is_safetensors(ends)) return kSafetensors;
  if (is_tf_graph(ends)) return kTfGraph;
  if (is_onnx(ends)) return kOnnx;
  const auto zero = [](char byte) { return byte == 0; };
  return std::ranges::all_of(head, zero) && std::ranges::all_of(ends.tail, zero) ? kZeros
                                                                                 : kUnknown;
}

std::string read_at(int descriptor, std::uint64_t at, std::size_t count) {
  std::string bytes(count, '\0');
  const ssize_t got = ::pread(descriptor, bytes.data(), count, static_cast<off_t>(at));
  bytes.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return bytes;
}

/// The first bytes of what a gzip file holds; empty if it is damaged.
std::string inflated(const fs::path& path) {
  const gzFile file = ::gzopen(path.c_str(), "rb");
  if (file == nullptr) return "";
  std::string bytes(kLooked, '\0');
  const int got = ::gzread(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  ::gzclose(file);
  bytes.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return bytes;
}

/// What a gzip file holds.
FileKind kind_inside(const fs::path& path) {
  const std::string bytes = inflated(path);
  const FileKind kind = kind_of({bytes, "", bytes.size()});
  return kind == kTruncatedHdf5 ? kHdf5 : kind;  // only its beginning was looked at
}

/// Nothing that a shell would not take as one word.
std::string shell_word(const std::string& text) {
  const bool plain = std::ranges::all_of(text, [](char letter) {
    return std::isalnum(static_cast<unsigned char>(letter)) != 0 || (letter & 0x80) != 0 ||
           "_-./+=:,@"sv.find(letter) != std::string_view::npos;
  });
  if (plain && !text.empty()) return text;
  std::string quoted = "'";
  for (const char letter : text) quoted += letter == '\'' ? "'\\''" : std::string(1, letter);
  return quoted + "'";
}

/// `name` between the quotes of a string of Python's; within the shell's double quotes as well.
std::string within_quotes(const std::string& name, bool in_shell) {
  std::string python;
  for (const char letter : name) {
    if (letter == '\\' || letter == '\'') python += '\\';
    python += letter;
  }
  if (!in_shell) return python;
  std::string quoted;
  for (const char letter : python) {
    if ("\\\"$`"sv.find(letter) != std::string_view::npos) quoted += '\\';
    quoted += letter;
  }
  return quoted;
}

/// `text` with FILE and NEW (its name without the last ending) replaced: outside of quotes as whole
/// words of a shell, "NEW.h5" with its ending.
std::string with_name(std::string_view text, const fs::path& path) {
  const std::string file = printable(path.string());
  const std::string stem = printable(path.stem().string());
  std::string result;
  bool in_single = false;
  bool in_double = false;
  for (std::size_t at = 0; at < text.size();) {
    const bool is_file = text.substr(at).starts_with("FILE");
    if (!is_file && !text.substr(at).starts_with("NEW")) {
      if (text[at] == '\'') in_single = !in_single;
      if (text[at] == '"') in_double = !in_double;
      result += text[at++];
      continue;
    }
    at += is_file ? 4 : 3;
    const std::string& name = is_file ? file : stem;
    if (in_single || in_double) {
      result += within_quotes(name, in_double);
      continue;
    }
    std::string word = name;
    for (; at < text.size() && (std::isalnum(static_cast<unsigned char>(text[at])) != 0 ||
                                "._-"sv.find(text[at]) != std::string_view::npos);
         ++at)
      word += text[at];
    result += shell_word(word);
  }
  return result;
}

}  // namespace

FileKind file_kind(std::span<const std::byte> bytes) {
  const std::string_view all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::size_t looked = std::min(all.size(), kLooked);
  return kind_of({all.substr(0, looked), all.substr(all.size() - looked), all.size()});
}

FileKind file_kind(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    for (const char* name : {".zarray", ".zgroup", ".zmetadata", "zarr.json"})
      if (fs::exists(path / name, error)) return kZarr;
    return fs::exists(path / "saved_model.pb", error) ? kSavedModel : kDirectory;
  }
  if (!fs::is_regular_file(path, error)) return kMissing;
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return kMissing;
  const std::uint64_t size = fs::file_size(path, error);
  const std::string head = read_at(file.get(), 0, kLooked);
  const std::string tail = read_at(file.get(), size > kLooked ? size - kLooked : 0, kLooked);
  return kind_of({head, tail, size});
}

std::string what_kind_is(FileKind kind) {
  return std::string(file_kind_text(kind).what);
}

std::string what_file_is(const fs::path& path) {
  const FileKind kind = file_kind(path);
  if (kind != kGzip) return what_kind_is(kind);
  const FileKind inside = kind_inside(path);
  return inside == kUnknown || inside == kEmpty
             ? what_kind_is(kind)
             : what_kind_is(kind) + " that holds " + what_kind_is(inside);
}

std::string how_to_use(FileKind kind, const fs::path& path, FileUse use) {
  if (kind == kGzip && use == FileUse::kData) {
    const FileKind inside = kind_inside(path);
    // What the importers read as it is.
    if (inside == kTable || inside == kIdx || inside == kNpy)
      return with_name(file_kind_text(inside).for_data, path);
  }
  const FileKindText& text = file_kind_text(kind);
  return with_name(use == FileUse::kData ? text.for_data : text.for_model, path);
}

std::string why_not_hdf5(const fs::path& path, FileUse use) {
  const FileKind kind = file_kind(path);
  const std::string advice = how_to_use(kind, path, use);
  return what_file_is(path) +
         (kind == kHdf5 || kind == kTruncatedHdf5 || kind == kNewerHdf5 ? ""
                                                                        : ": not an HDF5 file") +
         (advice.empty() ? "" : "; " + advice);
}

}  // namespace lockstep
