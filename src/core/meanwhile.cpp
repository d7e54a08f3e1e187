#include "src/core/meanwhile.hpp"

#include <utility>

namespace lockstep {
namespace {

thread_local std::function<void()> current;

}  // namespace

Meanwhile::Meanwhile(std::function<void()> f) {
  current = std::move(f);
}

Meanwhile::~Meanwhile() {
  current = nullptr;
}

bool Meanwhile::wanted() {
  return static_cast<bool>(current);
}

void Meanwhile::run() {
  if (current) current();
}

}  // namespace lockstep
