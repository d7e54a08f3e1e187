#include <atomic>
#include <cstddef>

#include "distributed/training/trainer.hpp"
#include "src/model/layers_text.hpp"
#include "tests/support/ranks.hpp"
#include "tests/support/tiny_training.hpp"

/// Every way to memory goes through these, which count while they are asked to. libstdc++'s
/// operator new calls malloc or aligned_alloc.
namespace {
std::atomic<bool> counting{false};
std::atomic<long> allocations{0};

void count() {
  if (counting.load(std::memory_order_relaxed)) allocations.fetch_add(1);
}
}  // namespace

extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

void* malloc(std::size_t size) {
  count();
  return __libc_malloc(size);
}
void* calloc(std::size_t number, std::size_t size) {
  count();
  return __libc_calloc(number, size);
}
void* realloc(void* memory, std::size_t size) {
  count();
  return __libc_realloc(memory, size);
}
void* memalign(std::size_t alignment, std::size_t size) {
  count();
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  count();
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
  count();
  *memory = __libc_memalign(alignment, size);
  return *memory == nullptr ? 12 : 0;
}
}

namespace lockstep {
namespace {

/// Counts from the end of the first step to the end of step 20.
class Counter final : public Callback {
 public:
  void on_step_end(Trainer&, const StepReport& report) override {
    if (report.step == 1) {
      allocations = 0;
      counting = true;
    }
    if (report.step == 20) {
      counting = false;
      counted = allocations;
    }
  }
  long counted = -1;
};

/// Allocations of steps 2 to 20 on one rank, where no call of MPI is made.
long allocations_of_training(Network& model, const ArrayDataset& data, TrainOptions options = {}) {
  options.batch_size = 7;
  options.check_replicas_every = 0;
  Trainer trainer(model, test::alone(), options);
  const auto counter = std::make_shared<Counter>();
  trainer.add_callback(counter);
  trainer.fit(data);
  counting = false;
  return counter->counted;
}

TEST(Allocation, IsCounted) {
  allocations = 0;
  counting = true;
  const auto numbers = std::make_unique<std::vector<double>>(100);
  const FloatBuffer buffer(100);
  void* const memory = std::realloc(std::malloc(10), 20);
  counting = false;
  std::free(memory);
  EXPECT_GE(allocations, 5);
  EXPECT_EQ(numbers->size(), 100u);
}

TEST(Allocation, HappensInNoTrainingStepOfAClassifier) {
  const test::TinyData data = test::classified_rows(140, 8, 4);
  for (const std::string optimizer : {"adam", "sgd"}) {
    Network model = test::classifier(8, 16, 4, optimizer, 0.3);
    EXPECT_EQ(allocations_of_training(model, data.view()), 0) << optimizer;
  }
}

TEST(Allocation, HappensInNoTrainingStepInBlocksWithSumsOverTheBatch) {
  const test::TinyData data = test::classified_rows(140, 8, 4);
  for (const auto sync :
       {DistributedOptimizer::Strategy::kSharded, DistributedOptimizer::Strategy::kAllreduce})
    for (const std::int64_t block_grains : {0, 1}) {
      Network model = model_from_layers_text(
          "Dense(16, input_shape=(8,)), BatchNormalization(), Activation(gelu), "
          "LayerNormalization(), GaussianNoise(0.1), Dense(4, softmax)");
      model.compile("adam", "sparse_categorical_crossentropy", {"accuracy"});
      EXPECT_EQ(allocations_of_training(model, data.view(),
                                        {.grain = 2, .sync = sync, .block_grains = block_grains}),
                0)
          << block_grains;
    }
}

TEST(Allocation, HappensInNoTrainingStepOfRecurrentLayers) {
  const test::TinyData data = test::classified_rows(140, 8, 4);
  for (const std::int64_t block_grains : {0, 1}) {
    Network model = model_from_layers_text(
        "Input((8,)), Reshape((4, 2)), LSTM(3, return_sequences=True, recurrent_dropout=0.2), "
        "GRU(5, return_sequences=True), GRU(4, reset_after=False, return_sequences=True), "
        "SimpleRNN(3, dropout=0.1), Dense(4, softmax)");
    model.compile("adam", "sparse_categorical_crossentropy", {"accuracy"});
    EXPECT_EQ(
        allocations_of_training(model, data.view(), {.grain = 2, .block_grains = block_grains}), 0)
        << block_grains;
  }
}

TEST(Allocation, HappensInNoTrainingStepOfATableWhoseRowsAreNamed) {
  test::TinyData data = test::classified_rows(140, 8, 4);
  for (std::size_t i = 0; i < data.x.size(); ++i) data.x[i] = static_cast<float>(i * i % 499);
  for (const auto sync :
       {DistributedOptimizer::Strategy::kSharded, DistributedOptimizer::Strategy::kAllreduce}) {
    Network model =
        model_from_layers_text("Input((8,)), Embedding(500, 3), Flatten(), Dense(4, softmax)");
    model.compile("adam", "sparse_categorical_crossentropy", {"accuracy"});
    EXPECT_EQ(allocations_of_training(model, data.view(), {.grain = 2, .sync = sync}), 0);
  }
}

TEST(Allocation, HappensInNoTrainingStepOfARegularizedRegression) {
  const test::TinyData data = test::unit_rows(std::vector<float>(140, 1.0f));
  Network model = test::linear_network(140, "mse", 0.01, "glorot_uniform", 0.01f);
  EXPECT_EQ(allocations_of_training(model, data.view()), 0);
}

}  // namespace
}  // namespace lockstep
