#include "io/files/file_kind_table.hpp"

#include <algorithm>
#include <array>

namespace lockstep {
namespace {

using namespace std::string_view_literals;
using enum FileKind;

constexpr auto kMagics = std::to_array<FileMagic>({
    {kGzip, 0, "\x1f\x8b"},
    {kBzip2, 0, "BZh"},
    {kXz, 0, "\xfd\x37zXZ"},
    {kZstd, 0, "\x28\xb5\x2f\xfd"},
    {kSevenZip, 0, "7z\xbc\xaf\x27\x1c"},
    {kTar, 257, "ustar"},
    {kNpy, 0, "\x93NUMPY"},
    {kNetcdfClassic, 0, "CDF\x01"},
    {kNetcdfClassic, 0, "CDF\x02"},
    {kNetcdfClassic, 0, "CDF\x05"},
    {kMatlab5, 0, "MATLAB 5.0 MAT-file"},
    {kHdf4, 0, "\x0e\x03\x13\x01"},
    {kParquet, 0, "PAR1"},
    {kArrow, 0, "ARROW1"},
    {kArrow, 0, "FEA1"},
    {kArrow, 0, "\xff\xff\xff\xff"},
    {kOrc, 0, "ORC"},
    {kAvro, 0, "Obj\x01"},
    {kFits, 0, "SIMPLE  ="},
    {kRData, 0, "RDX"},
    {kRData, 0, "RDA"},
    {kRData, 0, "X\n\0\0\0"sv},
    {kSas, 0, "\0\0\0\0\0\0\0\0\0\0\0\0\xc2\xea\x81\x60"sv},
    {kSpss, 0, "$FL2"},
    {kSpss, 0, "$FL3"},
    {kSqlite, 0, "SQLite format 3\0"sv},
    {kRoot, 0, "root\0"sv},
    {kGrib, 0, "GRIB"},
    {kNifti, 344, "n+1\0"sv},
    {kDicom, 128, "DICM"},
    {kTfLite, 4, "TFL3"},
    {kGguf, 0, "GGUF"},
    {kPng, 0, "\x89PNG\r\n\x1a\n"},
    {kJpeg, 0, "\xff\xd8\xff"},
    {kGif, 0, "GIF8"},
    {kBmp, 6, "\0\0\0\0\x36\0\0\0\x28\0\0\0"sv},
    {kTiff, 0, "II*\0"sv},
    {kTiff, 0, "MM\0*"sv},
    {kWave, 8, "WAVEfmt "},
    {kPdf, 0, "%PDF"},
    {kOldOffice, 0, "\xd0\xcf\x11\xe0"},
    {kProgram, 0,
     "\x7f"
     "ELF"},
});

// Advice that several kinds share.
constexpr std::string_view kDownload =
    "the download went wrong: fetch it again, from the address of the file itself";
constexpr std::string_view kCsv =
    "to make one: lockstep import csv --train FILE --label COLUMN --out NEW.h5";
constexpr std::string_view kNumpy =
    "to make one, save its arrays by numpy.savez('NEW.npz', x_train=..., y_train=...), then "
    "lockstep import npz NEW.npz --out NEW.h5";
constexpr std::string_view kPandas =
    "to make one, write it by pandas .to_csv('NEW.csv', index=False), then lockstep import csv "
    "--train NEW.csv --label COLUMN --out NEW.h5";
constexpr std::string_view kOtherModel =
    "expected a network: an .h5 or .keras file of Keras or Lockstep, or --model MODEL.json with "
    "--weights";
constexpr std::string_view kResave = "in Python: keras.models.load_model('FILE').save('NEW.h5')";
constexpr std::string_view kWeights =
    "this holds tensors for another program; in Keras build the network, set its weights, and "
    "model.save('NEW.h5')";

constexpr auto kTexts = std::to_array<FileKindText>({
    {kUnknown, "a file without HDF5's signature, of no kind that Lockstep knows", "", ""},
    {kMissing, "no file", "", ""},
    {kDirectory, "a directory", "", ""},
    {kZarr, "a Zarr store (a directory)",
     "to make one: python3 -c \"import zarr, h5py; zarr.copy_all(zarr.open('FILE', 'r'), "
     "h5py.File('NEW.h5', 'w'))\"",
     kOtherModel},
    {kSavedModel, "a TensorFlow SavedModel (a directory)", "give it to Keras, not to --data",
     kResave},
    {kEmpty, "an empty file (0 bytes)", "its writer did not finish: copy or make it again",
     "its writer did not finish: copy or make it again"},
    {kZeros, "nothing but zero bytes", "its writer or a copy did not finish: copy or make it again",
     "its writer or a copy did not finish: copy or make it again"},
    {kHdf5, "an HDF5 file", "", ""},
    {kTruncatedHdf5, "the beginning of an HDF5 file, which is cut off",
     "a copy or a writer did not finish: copy or make it again",
     "a copy or a writer did not finish: copy or make it again"},
    {kNewerHdf5, "an HDF5 file of a newer format than this HDF5 library knows",
     "with the program that wrote it: h5repack --high=v110 FILE NEW-v110.h5 (h5py: "
     "h5py.File(..., libver=('earliest', 'v110')))",
     "with the program that wrote it: h5repack --high=v110 FILE NEW-v110.h5"},
    {kNpz, "a NumPy archive (.npz)", "to make one: lockstep import npz FILE --out NEW.h5",
     kOtherModel},
    {kKerasArchive, "a Keras archive (.keras)",
     "that is a network: give it as the model, not as "
     "--data",
     kResave},
    {kTorch, "a PyTorch archive (.pt)", kNumpy, kWeights},
    {kExcel, "an Excel workbook or another Office document",
     "to make one, save the sheet as CSV, then lockstep import csv --train NEW.csv --label COLUMN "
     "--out NEW.h5",
     kOtherModel},
    {kZip, "a zip archive", "to unpack it: unzip FILE", "to unpack it: unzip FILE"},
    {kGzip, "a gzip file", "to unpack it: gunzip -k FILE", "to unpack it: gunzip -k FILE"},
    {kBzip2, "a bzip2 file", "to unpack it: bunzip2 -k FILE", "to unpack it: bunzip2 -k FILE"},
    {kXz, "an xz file", "to unpack it: unxz -k FILE", "to unpack it: unxz -k FILE"},
    {kZstd, "a Zstandard file", "to unpack it: unzstd FILE", "to unpack it: unzstd FILE"},
    {kTar, "a tar archive", "to unpack it: tar -xf FILE", "to unpack it: tar -xf FILE"},
    {kSevenZip, "a 7z archive", "to unpack it: 7z x FILE", "to unpack it: 7z x FILE"},
    {kGitLfsPointer, "a git-lfs pointer, which stands for the file",
     "to fetch it: git lfs pull --include FILE", "to fetch it: git lfs pull --include FILE"},
    {kGitAnnexPointer, "a git-annex pointer, which stands for the file",
     "to fetch it: git annex get FILE (or datalad get FILE)",
     "to fetch it: git annex get FILE (or datalad get FILE)"},
    {kHtml, "an HTML page", kDownload, kDownload},
    {kXml, "an XML document", kDownload, kDownload},
    {kKerasJson, "a Keras network as JSON, without weights",
     "that is a network: give it as --model FILE",
     "give it as --model FILE, and its weights as --weights"},
    {kJson, "JSON",
     "to make one, write it by pandas.read_json('FILE').to_csv('NEW.csv', index=False), then "
     "lockstep import csv --train NEW.csv --label COLUMN --out NEW.h5",
     kOtherModel},
    {kUtf16Text, "text in UTF-16", kCsv, kOtherModel},
    {kTable, "a table as text (CSV)", kCsv, kOtherModel},
    {kText, "plain text",
     "if it is a table: lockstep import csv --train FILE --label COLUMN --out "
     "NEW.h5",
     kOtherModel},
    {kNpy, "a NumPy array (.npy)",
     "to make one: lockstep import npy --x-train FILE --y-train LABELS.npy --out NEW.h5",
     kOtherModel},
    {kIdx, "an IDX file (MNIST's format)",
     "to make one: lockstep import idx --x-train FILE --y-train LABELS --out NEW.h5", kOtherModel},
    {kNetcdfClassic, "a netCDF file of the classic format (CDF)",
     "to make one: nccopy -k nc4 FILE NEW-nc4.nc", kOtherModel},
    {kMatlab5, "a MATLAB file of version 5",
     "to make one, in MATLAB: load('FILE'), save('NEW-v73.mat', '-v7.3'); or in Python: "
     "scipy.io.loadmat('FILE') and numpy.savez, then lockstep import npz",
     kOtherModel},
    {kHdf4, "an HDF4 file", "to make one: h4toh5 FILE NEW.h5", kOtherModel},
    {kParquet, "a Parquet file",
     "to make one: python3 -c \"import pandas; pandas.read_parquet('FILE').to_csv('NEW.csv', "
     "index=False)\", then lockstep import csv --train NEW.csv --label COLUMN --out NEW.h5",
     kOtherModel},
    {kArrow, "an Arrow or Feather file",
     "to make one: python3 -c \"import pandas; pandas.read_feather('FILE').to_csv('NEW.csv', "
     "index=False)\", then lockstep import csv --train NEW.csv --label COLUMN --out NEW.h5",
     kOtherModel},
    {kOrc, "an ORC file", kPandas, kOtherModel},
    {kAvro, "an Avro file", kPandas, kOtherModel},
    {kFits, "a FITS file",
     "to make one, in Python: astropy.io.fits.getdata('FILE') and numpy.savez('NEW.npz', "
     "x_train=..., y_train=...), then lockstep import npz NEW.npz --out NEW.h5",
     kOtherModel},
    {kRData, "R's data",
     "to make one, in R: write.csv(..., 'NEW.csv', row.names=FALSE), then lockstep import csv "
     "--train NEW.csv --label COLUMN --out NEW.h5",
     kOtherModel},
    {kStata, "a Stata file", kPandas, kOtherModel},
    {kSas, "a SAS file", kPandas, kOtherModel},
    {kSpss, "an SPSS file", kPandas, kOtherModel},
    {kSqlite, "an SQLite database", kPandas, kOtherModel},
    {kRoot, "a ROOT file", kNumpy, kOtherModel},
    {kGrib, "a GRIB file", "to make one: grib_to_netcdf -k 4 -o NEW.nc FILE", kOtherModel},
    {kNifti, "a NIfTI image", kNumpy, kOtherModel},
    {kDicom, "a DICOM image", kNumpy, kOtherModel},
    {kPickle, "a Python pickle (Lockstep runs no Python)", kNumpy, kWeights},
    {kSafetensors, "a safetensors file", kNumpy, kWeights},
    {kTfLite, "a TensorFlow Lite network", "that is a network, not data", kWeights},
    {kOnnx, "an ONNX network", "that is a network, not data", kWeights},
    {kTfGraph, "a TensorFlow graph or checkpoint", "that is a network, not data",
     "expected a network: in Python, load it with TensorFlow into the Keras model and "
     "model.save('NEW.h5')"},
    {kGguf, "a GGUF file", "that is a network, not data", kWeights},
    {kPng, "a PNG picture", kNumpy, kOtherModel},
    {kJpeg, "a JPEG picture", kNumpy, kOtherModel},
    {kGif, "a GIF picture", kNumpy, kOtherModel},
    {kBmp, "a BMP picture", kNumpy, kOtherModel},
    {kTiff, "a TIFF picture", kNumpy, kOtherModel},
    {kWave, "a WAV recording", kNumpy, kOtherModel},
    {kPdf, "a PDF document", "", kOtherModel},
    {kOldOffice, "an Office document of the old form (.xls, .doc)",
     "to make one, save the sheet as CSV, then lockstep import csv --train NEW.csv --label COLUMN "
     "--out NEW.h5",
     kOtherModel},
    {kProgram, "a program or library", "", kOtherModel},
});

}  // namespace

std::span<const FileMagic> file_magics() {
  return kMagics;
}

const FileKindText& file_kind_text(FileKind kind) {
  const auto found = std::ranges::find(kTexts, kind, &FileKindText::kind);
  return found == kTexts.end() ? kTexts.front() : *found;
}

}  // namespace lockstep
