#pragma once

#include <cstdint>
#include <filesystem>

#include "distributed/training/callback.hpp"
#include "io/tensorboard/event_file.hpp"

namespace lockstep {

/// Writes what Keras's callback TensorBoard writes: the numbers of every epoch, `epoch_loss` and so
/// on, to train/ and validation/, and histograms of the weights. Steps are epochs from 0. A run
/// that goes on takes back the epochs that it computes anew.
class TensorBoard final : public Callback {
 public:
  struct Options {
    std::filesystem::path directory;
    std::int64_t histogram_freq = 0;  ///< epochs; 0: none
  };
  explicit TensorBoard(Options options);

  bool reads_weights_in_steps() const override { return false; }
  /// Throws Error (73) if there are epochs, which are another run's. Not collective.
  static void check_free(const std::filesystem::path& directory);

  void on_train_begin(Trainer& trainer) override;
  void on_epoch_end(Trainer& trainer, const EpochReport& report) override;

 private:
  void write(const EpochReport& report) const;
  void write_histograms(Trainer& trainer, std::int64_t step) const;

  Options options_;
  EventFile train_, validation_;
};

}  // namespace lockstep
