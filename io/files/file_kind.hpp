#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace lockstep {

/// What a file is by its content, whatever its name says.
enum class FileKind {
  kUnknown,
  kMissing,
  kDirectory,
  kZarr,
  kSavedModel,
  kEmpty,
  kZeros,
  // HDF5
  kHdf5,
  kTruncatedHdf5,
  kNewerHdf5,
  // Archives
  kNpz,
  kKerasArchive,
  kTorch,
  kExcel,
  kZip,
  kGzip,
  kBzip2,
  kXz,
  kZstd,
  kTar,
  kSevenZip,
  // What comes instead of a file
  kGitLfsPointer,
  kGitAnnexPointer,
  kHtml,
  kXml,
  // Text
  kKerasJson,
  kJson,
  kUtf16Text,
  kTable,
  kText,
  // Arrays, tables and networks of other programs
  kNpy,
  kIdx,
  kNetcdfClassic,
  kMatlab5,
  kHdf4,
  kParquet,
  kArrow,
  kOrc,
  kAvro,
  kFits,
  kRData,
  kStata,
  kSas,
  kSpss,
  kSqlite,
  kRoot,
  kGrib,
  kNifti,
  kDicom,
  kPickle,
  kSafetensors,
  kTfLite,
  kGguf,
  kOnnx,
  kTfGraph,
  // Pictures, sound, documents, programs
  kPng,
  kJpeg,
  kGif,
  kBmp,
  kTiff,
  kWave,
  kPdf,
  kOldOffice,
  kProgram
};

enum class FileUse { kData, kModel };

/// Looks at the first and the last bytes. Never throws: what cannot be read is kMissing.
FileKind file_kind(const std::filesystem::path& path);
/// `bytes` are all of the file, or its beginning.
FileKind file_kind(std::span<const std::byte> bytes);

/// "a NumPy archive (.npz)", for a sentence "expected an HDF5 file, got ...".
std::string what_file_is(const std::filesystem::path& path);
std::string what_kind_is(FileKind kind);

/// The one line that makes the file usable, with its name in it: "lockstep import npz a.npz --out
/// a.h5". Empty if there is none.
std::string how_to_use(FileKind kind, const std::filesystem::path& path, FileUse use);

/// "a NumPy archive (.npz): not an HDF5 file; lockstep import npz a.npz ... makes one of it".
std::string why_not_hdf5(const std::filesystem::path& path, FileUse use);

}  // namespace lockstep
