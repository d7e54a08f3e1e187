#include "io/hdf5/hdf5.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

#include "io/files/file_kind.hpp"
#include "io/files/posix_file.hpp"
#include "io/hdf5/hdf5_detail.hpp"

namespace lockstep::hdf5 {
namespace detail {
namespace {

/// "file write failed: No space left on device" for what HDF5 says with times and addresses.
std::string without_details(std::string_view text) {
  constexpr std::string_view kMessage = "error message = '";
  const std::size_t at = text.find(kMessage);
  if (at == text.npos) return printable(text);
  const std::string_view message = text.substr(at + kMessage.size());
  return fmt::format("{}: {}", printable(text.substr(0, text.find_first_of(":,"))),
                     printable(message.substr(0, message.find('\''))));
}

herr_t keep_reason(unsigned, const H5E_error2_t* error, void* data) noexcept {
  Failure& failure = *static_cast<Failure*>(data);
  const std::string_view text = error->desc == nullptr ? "" : error->desc;
  if (failure.text.empty()) failure.text = without_details(text);
  if (error->min_num == H5E_NOTHDF5) failure.not_hdf5 = true;
  if (text.starts_with("file read failed") && text.find("errno = ") != text.npos) {
    failure.disk = true;
  }
  return 0;
}

herr_t refuse_external_link(const char*, const char*, const char* file, const char* object,
                            unsigned*, hid_t, void* data) noexcept {
  *static_cast<std::string*>(data) = fmt::format("{}:{}", printable(file), printable(object));
  return -1;
}

}  // namespace

Quiet::Quiet(bool filter_plugins) {
  restore_print_ = H5Eget_auto2(H5E_DEFAULT, &print_, &print_data_) >= 0;
  if (restore_print_) H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  restore_plugins_ = H5PLget_loading_state(&plugins_) >= 0;
  if (restore_plugins_) H5PLset_loading_state(filter_plugins ? H5PL_FILTER_PLUGIN : 0);
}

Quiet::~Quiet() {
  if (restore_plugins_) H5PLset_loading_state(plugins_);
  if (restore_print_) H5Eset_auto2(H5E_DEFAULT, print_, print_data_);
}

Failure last_failure() {
  Failure failure;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_reason, &failure);
  if (failure.text.empty()) failure.text = "HDF5 gives no reason";
  return failure;
}

void fail_call(const std::string& where, std::string_view action, ExitCode code) {
  const Failure failure = last_failure();
  fail(failure.disk ? ExitCode::kInputOutput : code, "[{}] {}: {}", where, action, failure.text);
}

LinkAccess::LinkAccess(bool trust)
    : list_(checked(H5Pcreate(H5P_LINK_ACCESS), "hdf5", "cannot make a property list")) {
  if (trust) return;
  checked(H5Pset_elink_cb(id(), refuse_external_link, &refused_), "hdf5",
          "cannot refuse external links");
}

void LinkAccess::check_refused(const std::string& where) const {
  check(refused_.empty(), ExitCode::kBadData,
        "[{}] expected data inside the file, got an external link to {} (for a dataset, "
        "--trust-data allows it)",
        where, refused_);
}

std::string label(const std::string& file_name, const std::string& path) {
  const std::vector<std::string> all = prefixes(path);
  return file_name + ":" + (all.empty() ? "/" : printable(all.back()));
}

std::vector<std::string> prefixes(const std::string& path) {
  std::vector<std::string> result;
  std::string prefix;
  for (std::size_t first = 0; first < path.size();) {
    const std::size_t last = std::min(path.find('/', first), path.size());
    if (last > first) {
      prefix += "/" + path.substr(first, last - first);
      result.push_back(prefix);
    }
    first = last + 1;
  }
  return result;
}

Handle access_without_lock() {
  Handle list(checked(H5Pcreate(H5P_FILE_ACCESS), "hdf5", "cannot make a property list"));
#if H5_VERSION_GE(1, 12, 1) || (H5_VERSION_GE(1, 10, 7) && !H5_VERSION_GE(1, 12, 0))
  checked(H5Pset_file_locking(list.id(), false, true), "hdf5", "cannot disable file locking");
#endif
  return list;
}

std::string image_name() {
  // The core driver takes files of one name for one file, and tries to open that name on disk.
  static std::atomic<std::uint64_t> count{0};
  return fmt::format("/dev/null/lockstep-{}", count++);
}

}  // namespace detail

namespace {

using namespace detail;

constexpr std::size_t kListedDatasets = 20;

template <class Info>
herr_t collect_name(hid_t, const char* name, const Info*, void* names) noexcept {
  static_cast<std::vector<std::string>*>(names)->emplace_back(name);
  return 0;
}

template <class Info>
herr_t collect_dataset(hid_t, const char* name, const Info* info, void* paths) noexcept {
  if (info->type == H5O_TYPE_DATASET) {
    static_cast<std::vector<std::string>*>(paths)->push_back(std::string("/") + name);
  }
  return 0;
}

/// The descriptor of a file on disk; null for a file in memory.
int* descriptor_of(hid_t file) {
  const Handle access(H5Fget_access_plist(file));
  if (access.id() < 0 || H5Pget_driver(access.id()) != H5FD_SEC2) return nullptr;
  void* handle = nullptr;
  if (H5Fget_vfd_handle(file, H5P_DEFAULT, &handle) < 0) return nullptr;
  return static_cast<int*>(handle);
}

/// Throws Error (65) that names the target of a soft or external link on the way that leads
/// nowhere.
void check_link_target(hid_t id, const std::vector<std::string>& all, const std::string& where) {
  for (const std::string& prefix : all) {
    H5L_info_t info;
    if (H5Lget_info(id, prefix.c_str(), &info, H5P_DEFAULT) < 0) return;
    if (info.type == H5L_TYPE_HARD) continue;
    if (H5Oexists_by_name(id, prefix.c_str(), H5P_DEFAULT) > 0) continue;
    std::vector<char> value(info.u.val_size + 1, '\0');
    if (H5Lget_val(id, prefix.c_str(), value.data(), value.size(), H5P_DEFAULT) < 0) return;
    if (info.type == H5L_TYPE_SOFT)
      fail(ExitCode::kBadData, "[{}] expected a dataset, got a soft link to {}, which is not there",
           where, printable(value.data()));
    const char* target_file = nullptr;
    const char* target = nullptr;
    unsigned flags = 0;
    if (info.type != H5L_TYPE_EXTERNAL ||
        H5Lunpack_elink_val(value.data(), info.u.val_size, &flags, &target_file, &target) < 0)
      return;
    fail(ExitCode::kBadData,
         "[{}] expected a dataset, got an external link to {}:{}, which is not there; bring the "
         "file "
         "beside this one, or set HDF5_EXT_PREFIX to its directory",
         where, printable(target_file), printable(target));
  }
}

/// Of a file with HDF5's signature that does not open.
[[noreturn]] void fail_open(const std::filesystem::path& path, const Failure& failure) {
  const ExitCode code = failure.disk ? ExitCode::kInputOutput : ExitCode::kBadData;
  const std::string name = printable(path.string());
  const FileKind kind = failure.disk ? FileKind::kHdf5 : file_kind(path);
  if (kind == FileKind::kHdf5)
    fail(code, "[{}] expected a whole HDF5 file, got: {}", name, failure.text);
  fail(code, "[{}] expected a whole HDF5 file that HDF5 {} can read, got {} ({})", name,
       library_version(), why_not_hdf5(path, FileUse::kData), failure.text);
}

}  // namespace

std::string detail::list_datasets(const File& file) {
  std::vector<std::string> paths = file.datasets();
  if (paths.empty()) return "none";
  const std::size_t more = paths.size() - std::min(paths.size(), kListedDatasets);
  paths.resize(paths.size() - more);
  for (std::string& path : paths) path = printable(path);
  return fmt::format("{}", fmt::join(paths, ", ")) +
         (more > 0 ? fmt::format(" and {} more", more) : "");
}

Handle detail::open_object(const File& file, hid_t id, const std::string& path, bool trust) {
  const std::string where = label(file.name(), path);
  const LinkAccess links(trust);
  const std::vector<std::string> all = prefixes(path);
  Handle object(H5Oopen(id, all.empty() ? "/" : all.back().c_str(), links.id()));
  if (object.id() >= 0) return object;
  links.check_refused(where);
  const Failure failure = last_failure();
  check_link_target(id, all, where);
  if (!file.exists(path)) {
    fail(ExitCode::kBadData,
         "[{}] expected a dataset or group of that name, got none; datasets of the file: {}", where,
         list_datasets(file));
  }
  // What HDF5 says of messages whose version it does not know.
  if (failure.text.find("bad version number") != std::string::npos ||
      failure.text.find("unknown") != std::string::npos)
    fail(ExitCode::kBadData,
         "[{}] expected a format that HDF5 {} knows, got a newer one or damage: {}; with the "
         "program "
         "that wrote it: h5repack --high=v110 FILE NEW.h5",
         where, library_version(), failure.text);
  fail(failure.disk ? ExitCode::kInputOutput : ExitCode::kBadData, "[{}] damaged: {}", where,
       failure.text);
}

std::string detail::flush_or_divert(hid_t file, bool sync) {
  unsigned intent = H5F_ACC_RDONLY;
  if (H5Fget_intent(file, &intent) < 0 || (intent & H5F_ACC_RDWR) == 0) return "";
  std::string reason;
  if (H5Fflush(file, H5F_SCOPE_GLOBAL) < 0) reason = last_failure().text;
  const int* descriptor = descriptor_of(file);
  if (descriptor == nullptr) return reason;
  // What a full or failing disk says late, above all on NFS, it says here.
  if (reason.empty() && sync && ::fsync(*descriptor) != 0) reason = system_message(errno);
  if (!reason.empty()) {
    const FileDescriptor sink(::memfd_create("lockstep-abandoned", MFD_CLOEXEC));
    if (sink.get() >= 0) ::dup2(sink.get(), *descriptor);
    // After a failed flush the cache is in a state in which the next one fails, the third works.
    for (int attempt = 0; attempt < 3 && H5Fflush(file, H5F_SCOPE_GLOBAL) < 0; ++attempt) {
    }
  }
  return reason;
}

Handle::~Handle() {
  if (id_ < 0) return;
  const Quiet quiet;
  if (H5Iget_type(id_) == H5I_FILE) flush_or_divert(id_, false);
  H5Idec_ref(id_);
}

File::File(Handle handle, std::string name, bool trust)
    : file_(std::move(handle)), name_(std::move(name)), trust_(trust) {}

File File::open(const std::filesystem::path& path, bool trust) {
  if (const FileKind kind = file_kind(path);
      kind == FileKind::kZarr || kind == FileKind::kSavedModel)
    fail(ExitCode::kMissingInput, "[{}] expected a file, got {}; {}", printable(path.string()),
         what_kind_is(kind), how_to_use(kind, path, FileUse::kData));
  const FileDescriptor readable = open_input(path);
  const Quiet quiet;
  const Handle no_lock = access_without_lock();
  Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, no_lock.id()));
  if (file.id() < 0) {
    const Failure failure = last_failure();
    // A file that this process has open with a lock can only be opened again with a lock.
    if (!failure.not_hdf5) file = Handle(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT));
    check(!failure.not_hdf5, ExitCode::kBadData, "[{}] expected an HDF5 file, got {}",
          printable(path.string()), why_not_hdf5(path, FileUse::kData));
    if (file.id() < 0) fail_open(path, failure);
  }
  return File(std::move(file), path.string(), trust);
}

File File::open_image(std::span<const std::byte> image, const std::string& name) {
  const Quiet quiet;
  check(!image.empty(), ExitCode::kBadData, "[{}] expected an HDF5 file, got no bytes", name);
  const Handle access(
      checked(H5Pcreate(H5P_FILE_ACCESS), name, "cannot make a property list of HDF5"));
  constexpr std::size_t kIncrement = 65536;
  checked(H5Pset_fapl_core(access.id(), kIncrement, false), name, "cannot open in memory");
  void* bytes = const_cast<std::byte*>(image.data());  // HDF5 copies it
  checked(H5Pset_file_image(access.id(), bytes, image.size()), name, "cannot open in memory");
  Handle file(H5Fopen(image_name().c_str(), H5F_ACC_RDONLY, access.id()));
  if (file.id() < 0) {
    const Failure failure = last_failure();
    check(!failure.not_hdf5, ExitCode::kBadData,
          "[{}] expected an HDF5 file, got {}: not an HDF5 file", name,
          what_kind_is(file_kind(image)));
    fail(ExitCode::kBadData, "[{}] expected a whole HDF5 file, got: {}", name, failure.text);
  }
  return File(std::move(file), name, false);
}

bool File::exists(const std::string& path) const {
  const Quiet quiet;
  const LinkAccess links(trust_);
  const std::vector<std::string> all = prefixes(path);
  for (const std::string& prefix : all) {  // H5Lexists fails if a parent is missing
    const htri_t found = H5Lexists(file_.id(), prefix.c_str(), links.id());
    links.check_refused(label(name_, prefix));
    if (found <= 0) return false;
  }
  if (all.empty()) return true;
  const htri_t found = H5Oexists_by_name(file_.id(), all.back().c_str(), links.id());
  links.check_refused(label(name_, path));
  return found > 0;
}

bool File::is_group(const std::string& path) const {
  const Quiet quiet;
  if (!exists(path)) return false;
  return H5Iget_type(open_object(*this, file_.id(), path, trust_).id()) == H5I_GROUP;
}

bool File::is_compound(const std::string& path) const {
  const Quiet quiet;
  if (!exists(path)) return false;
  const Handle object = open_object(*this, file_.id(), path, trust_);
  if (H5Iget_type(object.id()) != H5I_DATASET) return false;
  const Handle type(H5Dget_type(object.id()));
  return type.id() >= 0 && H5Tget_class(type.id()) == H5T_COMPOUND;
}

std::vector<std::string> File::children(const std::string& group) const {
  const Quiet quiet;
  const Handle object = open_object(*this, file_.id(), group, trust_);
  check(H5Iget_type(object.id()) == H5I_GROUP, ExitCode::kBadData,
        "[{}] expected a group, got a dataset", label(name_, group));
  std::vector<std::string> names;
  checked(H5Literate(object.id(), H5_INDEX_NAME, H5_ITER_INC, nullptr, collect_name, &names),
          label(name_, group), "cannot list the group");
  return names;
}

std::vector<std::string> File::datasets() const {
  const Quiet quiet;
  std::vector<std::string> paths;
  // Follows no links but hard ones; of a damaged file it finds what comes before the damage.
#if H5_VERSION_GE(1, 12, 0)
  H5Ovisit3(file_.id(), H5_INDEX_NAME, H5_ITER_INC, collect_dataset, &paths, H5O_INFO_BASIC);
#else
  H5Ovisit(file_.id(), H5_INDEX_NAME, H5_ITER_INC, collect_dataset, &paths);
#endif
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::string library_version() {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned release = 0;
  const Quiet quiet;
  checked(H5get_libversion(&major, &minor, &release), "hdf5", "cannot tell its version");
  return fmt::format("{}.{}.{}", major, minor, release);
}

void leave_open_at_exit() {
  H5dont_atexit();
}

}  // namespace lockstep::hdf5
