#pragma once

#include <filesystem>

namespace lockstep {

/// Removes the temporary files that killed processes have left beside `target` when they were to
/// write it: `.TARGET.PROCESS-NUMBER.tmp` of a process that this host no longer has, and that
/// nobody holds a lock on. As well as it goes.
void remove_left_behind(const std::filesystem::path& target);

}  // namespace lockstep
