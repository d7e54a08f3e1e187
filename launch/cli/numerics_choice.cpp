#include "launch/cli/numerics_choice.hpp"

#include "launch/cli/screen.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {

Numerics numerics_from_text(const std::string& text) {
  if (text == "exact") return Numerics::kExact;
  if (text == "fast") return Numerics::kFast;
  fail(ExitCode::kUsage, "[options] --numerics: expected exact or fast, got '{}'", printable(text));
}

Numerics choose_numerics(std::optional<Numerics> wanted, bool every_cpu_has_fma) {
  return wanted.value_or(every_cpu_has_fma ? Numerics::kExact : Numerics::kFast);
}

Numerics choose_numerics(const Communicator& world, std::optional<Numerics> wanted) {
  const bool fma = world.all_min(cpu_has_fma() ? 1 : 0) == 1;
  const Numerics chosen = choose_numerics(wanted, fma);
  if (world.is_root() && !fma) {
    print_error(chosen == Numerics::kExact
                    ? "warning: --numerics exact is slow here, because a CPU lacks fused "
                      "multiply-adds (FMA, AVX2)"
                    : "warning: a CPU lacks fused multiply-adds (FMA, AVX2), so the numerics are "
                      "fast: results depend on the number of ranks; --numerics exact is slow here, "
                      "but keeps the same bits");
  }
  return chosen;
}

}  // namespace lockstep
