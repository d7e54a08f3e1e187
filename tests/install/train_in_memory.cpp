// A simulation that trains a network on two thirds of its ranks while the others go on with their
// work.
#include <mpi.h>

#include <cmath>
#include <cstdio>
#include <vector>

#include "distributed/training/trainer.hpp"
#include "src/model/layers_text.hpp"

namespace {

constexpr int kPixels = 784;
constexpr int kClasses = 10;

/// Rows of images (one bright band per class, other noise in each) and their labels.
struct Images {
  std::vector<float> pixels;  // (rows, 784)
  std::vector<int> labels;
};

Images make_images(int rows) {
  Images images;
  unsigned state = 1;
  for (int row = 0; row < rows; ++row) {
    const int label = row % kClasses;
    images.labels.push_back(label);
    for (int i = 0; i < kPixels; ++i) {
      state = state * 1664525u + 1013904223u;
      const float noise = static_cast<float>(state >> 8) / static_cast<float>(1u << 24);
      images.pixels.push_back(i * kClasses / kPixels == label ? 0.5f + noise : noise);
    }
  }
  return images;
}

/// Collective over `communicator`. Returns the accuracy of the last epoch.
double train(const Images& images, MPI_Comm communicator) {
  const lockstep::ArrayView x = lockstep::array_view<float>(images.pixels, {kPixels});
  const lockstep::ArrayView y = lockstep::array_view<int>(images.labels, {});

  lockstep::Network model =
      lockstep::model_from_layers_text("Dense(64, relu), Dense(32, relu), Dense(10, softmax)");
  model.build({kPixels});
  model.compile("adam", "sparse_categorical_crossentropy", {"accuracy"});
  lockstep::Trainer trainer(model, lockstep::Communicator(communicator), {.epochs = 5});
  const lockstep::History history = trainer.fit({x, y});
  return history.back().metrics.front().second;
}

/// Something else that needs messages of its own.
double simulate(MPI_Comm communicator) {
  double sum = 0;
  for (int step = 0; step < 100; ++step) {
    const double mine = std::sin(step);
    MPI_Allreduce(&mine, &sum, 1, MPI_DOUBLE, MPI_SUM, communicator);
  }
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  const bool trains = rank % 3 != 2;
  MPI_Comm mine = MPI_COMM_NULL;
  MPI_Comm_split(MPI_COMM_WORLD, trains ? 0 : 1, rank, &mine);

  if (trains) {
    const double accuracy = train(make_images(1000), mine);
    if (rank == 0) std::printf("accuracy %.3f\n", accuracy);
  } else {
    simulate(mine);
  }

  MPI_Comm_free(&mine);
  MPI_Finalize();
  return 0;
}
