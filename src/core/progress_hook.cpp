#include "src/core/progress_hook.hpp"

#include <utility>

namespace lockstep {
namespace {

thread_local std::function<void()> current;

}  // namespace

ProgressHook::ProgressHook(std::function<void()> f) {
  current = std::move(f);
}

ProgressHook::~ProgressHook() {
  current = nullptr;
}

bool ProgressHook::wanted() {
  return static_cast<bool>(current);
}

void ProgressHook::run() {
  if (current) current();
}

}  // namespace lockstep
