#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>

#include "distributed/training/callback.hpp"
#include "distributed/training/monitor.hpp"

namespace lockstep {

/// Keras's ModelCheckpoint(save_best_only=True): saves the model when the monitored number is
/// strictly better than ever before. Rank 0 writes, atomically.
class ModelCheckpoint final : public Callback {
 public:
  struct Options {
    std::filesystem::path path;  ///< .keras: an archive of Keras 3, otherwise HDF5
    std::string monitor = "val_loss";
    Mode mode = Mode::kAuto;
    std::function<void(std::span<const std::byte>)> write = {};  ///< instead of to `path`
  };
  explicit ModelCheckpoint(Options options) : options_(std::move(options)) {}

  bool reads_weights_in_steps() const override { return false; }
  void on_train_begin(Trainer& trainer) override;
  void on_epoch_end(Trainer& trainer, const EpochReport& report) override;

  std::string name() const override { return "model_checkpoint"; }
  std::string state() const override;
  void restore(const std::string& state) override;

 private:
  Options options_;
  bool larger_is_better_ = false;
  bool best_known_ = false;  ///< the best survives into a second fit, as in Keras
  double best_ = 0;
};

}  // namespace lockstep
