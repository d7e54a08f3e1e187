#include "distributed/training/model_checkpoint.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "distributed/training/trainer.hpp"
#include "io/files/atomic_file.hpp"
#include "io/keras/exact_json.hpp"
#include "src/core/error.hpp"

namespace lockstep {

void ModelCheckpoint::on_train_begin(Trainer& trainer) {
  larger_is_better_ = larger_is_better(trainer.model(), options_.monitor, options_.mode);
  if (!best_known_)
    best_ = larger_is_better_ ? -std::numeric_limits<double>::infinity()
                              : std::numeric_limits<double>::infinity();
  best_known_ = true;
}

void ModelCheckpoint::on_epoch_end(Trainer& trainer, const EpochReport& report) {
  const std::optional<double> current = report.value(options_.monitor);
  if (!current || !(larger_is_better_ ? *current > best_ : *current < best_)) return;
  const double before = std::exchange(best_, *current);  // the file says it, too
  try {
    trainer.save(
        [&](std::span<const std::byte> bytes) {
          options_.write ? options_.write(bytes) : write_atomically(options_.path, bytes);
        },
        model_format(options_.path));
  } catch (const Error&) {
    best_ = before;
    throw;
  }
}

std::string ModelCheckpoint::state() const {
  return nlohmann::ordered_json{{"best", exact_json(best_)}}.dump();
}

void ModelCheckpoint::restore(const std::string& state) {
  best_ = exact_double(nlohmann::ordered_json::parse(state).at("best"));
  best_known_ = true;
}

}  // namespace lockstep
