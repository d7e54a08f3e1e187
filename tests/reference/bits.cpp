// What `lockstep` computes, as SHA-256: one line for each result. Every CPU must print the same
// lines.
//
//   bits                prints them
//   bits bits.txt       compares them with a file; exit code 77 if LOCKSTEP_KERNELS names kernels
//                       that this CPU cannot run

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "src/core/error.hpp"
#include "src/core/floating_point.hpp"
#include "src/core/grain_tree.hpp"
#include "src/core/hash.hpp"
#include "src/core/random.hpp"
#include "src/graph/training_pass.hpp"
#include "src/kernels/kernels.hpp"
#include "src/model/layers_text.hpp"
#include "src/model/sequential.hpp"
#include "tests/reference/bits_networks.hpp"
#include "tests/support/local_batch_sums.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kSeed = 11;
constexpr std::int64_t kGrain = 8;
constexpr std::int64_t kFullBatch = 32;
constexpr std::int64_t kPartialBatch = 21;
constexpr std::int64_t kSteps = 10;

std::vector<std::string> lines;

template <class T>
void note(const std::string& what, std::span<T> values) {
  Sha256 hash;
  hash.add(std::as_bytes(values));
  lines.push_back(fmt::format("{} {}", what, to_hex(hash.digest())));
}

/// A network in training, as one rank of one sees it.
class Training {
 public:
  Training(std::string name, const Shape& input, Network model, const Json& optimizer,
           float largest_input = 1, bool integers = false)
      : name_(std::move(name)),
        largest_input_(largest_input),
        integers_(integers),
        model_(std::move(model)) {
    model_.build(input);
    model_.initialize(kSeed);
    if (model_.is_stateful()) model_.set_batch_size(kFullBatch);
    model_.begin_states();
    model_.compile(optimizer, Json("sparse_categorical_crossentropy"), Json::array());
    plan_ = plan_gradients(model_.graph(), GradientWay::kRows);
    const std::vector<GradientWay> way(model_.graph().ops(), GradientWay::kRows);
    workspace_.emplace(model_.graph(), WorkspaceUse{.training = true,
                                                    .ops = model_.training_ops(),
                                                    .way = way,
                                                    .rows = {kFullBatch, kFullBatch, kFullBatch}});
    training_pass_.emplace(model_.graph(), *workspace_, plan_, 0, kFullBatch / kGrain);
    gradients_ = FloatBuffer(model_.arena().trainable_size());
    for (std::size_t i = 0; i < model_.optimizer().slot_names().size(); ++i)
      slots_.emplace_back(model_.arena().trainable_size());
  }
  Training(std::string name, const Shape& input, const std::string& layers, const Json& optimizer,
           float largest_input = 1, bool integers = false)
      : Training(std::move(name), input, model_from_layers_text(layers), optimizer, largest_input,
                 integers) {}

  void run() {
    note_weights("initial");
    for (std::int64_t step = 0; step < kSteps; ++step) {
      const bool partial = step % 4 == 1 && !model_.is_stateful();
      run_step(step, partial ? kPartialBatch : kFullBatch, /*show=*/step < 2);
    }
    note(name_ + " losses", std::span(losses_));
    note_weights("trained");
    for (std::size_t i = 0; i < slots_.size(); ++i)
      note(fmt::format("{} slot {}", name_, model_.optimizer().slot_names()[i]), slots_[i].span());

    fill_input(kSteps, kFullBatch);
    note(name_ + " predictions", model_.forward(*workspace_, {0, kFullBatch}, {}).flat());
  }

 private:
  /// Rows like images: half of the numbers are zero.
  void fill_input(std::int64_t step, std::int64_t rows) {
    const RandomStream random(kSeed, Purpose::kSynthetic, static_cast<std::uint32_t>(step));
    const std::span<float> input = workspace_->input({0, rows}).flat();
    for (std::size_t i = 0; i < input.size(); ++i)
      input[i] = largest_input_ * std::max(0.0f, 2 * random.uniform(i) - 1);
    if (integers_)
      for (float& x : input) x = std::floor(x);
    classes_.resize(static_cast<std::size_t>(rows));
    for (std::size_t i = 0; i < classes_.size(); ++i)
      classes_[i] = static_cast<std::int32_t>(
          random.below(static_cast<std::uint64_t>(model_.output_columns()), (1u << 30) + i));
  }

  void run_step(std::int64_t step, std::int64_t rows, bool show) {
    const std::string at = fmt::format("{} step {}, {} rows,", name_, step, rows);
    const Range all{0, rows};
    const Pass pass{.training = true,
                    .seed = kSeed,
                    .step = step,
                    .batch_rows = rows,
                    .batch_sums = &batch_sums_,
                    .writes_state = true};
    fill_input(step, rows);
    training_pass_->run(
        pass, {.samples = {&all, 1}, .grain = kGrain}, {gradients_.span().data(), 0},
        [&](const Block&) {
          const Matrix outputs = workspace_->output(all);
          if (show) note(at + " logits", outputs.flat());
          add_up_losses(outputs, 1.0f / static_cast<float>(rows));
          if (show) note(at + " outputs", outputs.flat());
        },
        nullptr);
    model_.turn_states();
    model_.add_regularization_gradient({0, model_.arena().trainable_size()},
                                       gradients_.span().data());
    if (show) {
      for (const auto& layer : model_.layers())
        for (const Parameter& parameter : layer->parameters())
          if (parameter.trained())
            note(fmt::format("{} gradient of {}/{}", at, layer->name(), parameter.path()),
                 gradients_.span().subspan(static_cast<std::size_t>(parameter.offset),
                                           parameter.value.size()));
    }
    Optimizer& optimizer = model_.optimizer();
    optimizer.begin_step();
    UpdateSpan update{.values = model_.arena().values().first(gradients_.span().size()),
                      .gradients = gradients_.span(),
                      .slots = {}};
    for (std::size_t i = 0; i < slots_.size(); ++i) update.slots[i] = slots_[i].span();
    optimizer.update(update);
  }

  void add_up_losses(Matrix outputs, float scale) {
    TreeStack sums(1);
    sums.begin((outputs.rows + kGrain - 1) / kGrain);
    for (std::int64_t row = 0; row < outputs.rows; row += kGrain) {
      const std::int64_t count = std::min(kGrain, outputs.rows - row);
      const Targets targets{.classes = classes_, .values = {}};
      sums.leaf()[0] = model_.loss().compute(
          outputs.rows_from(row, count), targets.slice(row, count),
          workspace_->output_gradient({0, outputs.rows}).rows_from(row, count), scale,
          model_.loss_is_fused());
      sums.push();
    }
    losses_.push_back(sums.root()[0] * static_cast<double>(scale));
    losses_.push_back(model_.regularization_penalty());
  }

  void note_weights(const char* which) {
    for (const auto& layer : model_.layers())
      for (const Parameter& parameter : layer->parameters())
        note(fmt::format("{} {} {}/{}", name_, which, layer->name(), parameter.path()),
             parameter.value);
  }

  std::string name_;
  float largest_input_;
  bool integers_;
  Network model_;
  GradientPlan plan_;
  std::optional<Workspace> workspace_;
  std::optional<TrainingPass> training_pass_;
  test::LocalBatchSums batch_sums_;
  FloatBuffer gradients_;
  std::vector<FloatBuffer> slots_;
  std::vector<std::int32_t> classes_;
  std::vector<double> losses_;
};

/// What came after the first three: their lines stand behind the others'.
void compute_later_layers() {
  Training("normalizations", {29},
           "Dense(24, use_bias=False), BatchNormalization(momentum=0.9), PReLU(), Reshape((6, 4)), "
           "Dense(18), LayerNormalization(), GroupNormalization(3), LeakyReLU(0.1), "
           "RMSNormalization(), BatchNormalization(axis=2, scale=False), PReLU(shared_axes=[1]), "
           "Flatten(), UnitNormalization(), Dense(5, softmax)",
           "adam")
      .run();
  Training("noise", {21},
           "GaussianNoise(0.1), Dense(23, selu), AlphaDropout(0.1), Dense(24), "
           "GaussianDropout(0.2), RepeatVector(2), SpatialDropout1D(0.3), Flatten(), "
           "Dense(5, softmax)",
           "adam")
      .run();
  Training("activations", {37}, activations(), "adam").run();
  Training("branches", {20}, branches(), "adam").run();
  Training("translator", {5, 7}, translator(), "adam").run();
}

/// The networks of launch/examples, on smaller images, and every other kernel of convolutions.
void compute_convolutions() {
  Training("cnn", {18, 17, 1},
           "Conv2D(32, 3, activation=relu), MaxPooling2D(2), Conv2D(64, 3, activation=relu), "
           "MaxPooling2D(2), Flatten(), Dense(128, relu), Dense(10, softmax)",
           "adam")
      .run();
  const std::string normalized = "padding=same, use_bias=False), BatchNormalization(), ReLU(), ";
  Training("bn_cnn", {12, 11, 1},
           "Conv2D(32, 3, " + normalized + "Conv2D(32, 3, " + normalized + "MaxPooling2D(2), " +
               "Conv2D(64, 3, " + normalized + "Conv2D(64, 3, " + normalized +
               "MaxPooling2D(2), GlobalAveragePooling2D(), Dense(10, softmax)",
           "adam")
      .run();
  Training("residuals", {12, 11, 1}, residuals(), "adam").run();
  Training("autoencoder", {12, 12, 1},
           "Conv2D(16, 3, strides=2, padding=same, activation=relu), "
           "Conv2D(8, 3, strides=2, padding=same, activation=relu), "
           "Conv2DTranspose(8, 3, strides=2, padding=same, activation=relu), "
           "Conv2DTranspose(16, 3, strides=2, padding=same, activation=relu), "
           "Conv2D(1, 3, padding=same, activation=sigmoid), Flatten(), Dense(10, softmax)",
           "adam")
      .run();
  Training("generator and discriminator", {24},
           "Dense(288), BatchNormalization(), ReLU(), Reshape((3, 3, 32)), "
           "Conv2DTranspose(16, 4, strides=2, padding=same), BatchNormalization(), ReLU(), "
           "Conv2DTranspose(1, 4, strides=2, padding=same, activation=tanh), "
           "Conv2D(16, 4, strides=2, padding=same), LeakyReLU(0.2), Dropout(0.3), "
           "Conv2D(24, 4, strides=2, padding=same), LeakyReLU(0.2), Flatten(), Dense(10, softmax)",
           "adam")
      .run();
  Training("convolutions", {11, 9, 6},
           "Conv2D(9, (2, 3), dilation_rate=2, groups=3), ZeroPadding2D(1), "
           "DepthwiseConv2D(3, depth_multiplier=2), UpSampling2D(2, interpolation=bilinear), "
           "SeparableConv2D(17, 3, strides=2), AveragePooling2D(2, padding=same), "
           "Reshape((4, 2, 17, 1)), Conv3D(3, 2, padding=same, strides=(1, 1, 2)), "
           "Conv3DTranspose(2, 2), Reshape((20, 15)), Conv1D(7, 3, padding=causal), "
           "DepthwiseConv1D(3, strides=2), Conv1DTranspose(5, 2), GlobalMaxPooling1D(), "
           "Dense(5, softmax)",
           "adam")
      .run();
}

void compute_recurrent_layers() {
  Training("lstm", {7, 9},
           "LSTM(19, return_sequences=True), LSTM(16, go_backwards=True, recurrent_dropout=0.2), "
           "Dense(5, softmax)",
           "adam")
      .run();
  Training("gru", {7, 9},
           "GRU(19, return_sequences=True, dropout=0.2), GRU(16, reset_after=False, "
           "return_sequences=True), SimpleRNN(17), Dense(5, softmax)",
           "adam")
      .run();
  Training("stateful", {5, 9},
           "LSTM(18, return_sequences=True, stateful=True, recurrent_dropout=0.2), "
           "Bidirectional(GRU(7, return_sequences=True, stateful=True)), "
           "SimpleRNN(17, stateful=True), Dense(5, softmax)",
           "adam")
      .run();
}

/// Token ids from 0 to 29, and attention.
void compute_sequences() {
  Training("sequences", {13},
           "TokenAndPositionEmbedding(30, 17, 20), TransformerEncoder(31, 3, dropout=0.1), "
           "TransformerDecoder(24, 2, activation=gelu, normalize_first=True), Flatten(), "
           "Dense(5, softmax)",
           "adam", 30, /*integers=*/true)
      .run();
  Training("embedding", {3, 5}, "Embedding(30, 70), Flatten(), Dense(5, softmax)", "adam", 30,
           /*integers=*/true)
      .run();
  Training("attention", {21}, attention(), "adam").run();
}

/// Token 0, which is half of all, is masked.
void compute_masks() {
  Training("masks", {13},
           "TokenAndPositionEmbedding(30, 17, 20, mask_zero=True), "
           "TransformerEncoder(31, 3, dropout=0.1), TransformerDecoder(24, 2), "
           "Bidirectional(GRU(9, return_sequences=True, recurrent_dropout=0.2)), "
           "BatchNormalization(), LSTM(11, return_sequences=True, go_backwards=True), "
           "GRU(8, reset_after=False, return_sequences=True), GlobalAveragePooling1D(), "
           "Dense(5, softmax)",
           "adam", 30, /*integers=*/true)
      .run();
  Training("masked_sentences", {4, 3},
           "Embedding(30, 17, mask_zero=True), TimeDistributed(LSTM(18)), GRU(19), "
           "Dense(5, softmax)",
           "adam", 30, /*integers=*/true)
      .run();
  Training("masked_attention", {9}, masked_attention(), "adam", 30, /*integers=*/true).run();
}

/// Layers over steps, cells, and convolutions within steps.
void compute_steps() {
  Training("steps", {3, 6, 5, 2},
           "TimeDistributed(Conv2D(5, 3, activation=relu)), TimeDistributed(BatchNormalization()), "
           "TimeDistributed(Dropout(0.2)), TimeDistributed(Flatten()), "
           "TimeDistributed(Dense(17, tanh)), RNN([LSTMCell(9, dropout=0.1), "
           "GRUCell(10, recurrent_dropout=0.2)], return_sequences=True, go_backwards=True), "
           "Bidirectional(RNN(SimpleRNNCell(18))), Dense(5, softmax)",
           "adam")
      .run();
  Training(
      "conv_lstm", {4, 7, 5, 2},
      "ConvLSTM2D(6, 3, padding=same, return_sequences=True, dropout=0.2, "
      "recurrent_dropout=0.2), ConvLSTM2D(5, (2, 3), strides=(1, 2), go_backwards=True), "
      "Reshape((3, 4, 5)), Bidirectional(ConvLSTM1D(3, 2, recurrent_activation=hard_sigmoid)), "
      "Flatten(), Dense(5, softmax)",
      "adam")
      .run();
  Training("dense_attention", {21}, dense_attention(), "adam").run();
}

void compute() {
  const FloatingPointEnvironment guard;  // as Trainer::fit
  Training("reference", {784}, "Dense(64, relu), Dense(32, relu), Dense(10, softmax)", "adam")
      .run();
  // Every elementary function, odd sizes, a softmax that no loss takes over.
  const Json optimizer = {
      {"class_name", "Adam"},
      {"config",
       {{"learning_rate",
         {{"class_name", "ExponentialDecay"},
          {"config", {{"initial_learning_rate", 0.02}, {"decay_steps", 3}, {"decay_rate", 0.9}}}}},
        {"amsgrad", true}}}};
  Training("functions", {37},
           "Dense(40, gelu, kernel_initializer=he_normal), Dropout(0.3), "
           "Dense(24, tanh, kernel_regularizer=l2(1e-3)), "
           "Dense(17, softmax, kernel_initializer=orthogonal), Dense(33, silu), Dense(21, selu), "
           "Dense(19, softplus), Dense(18, elu), Dense(16, sigmoid), Dense(5, softmax)",
           optimizer)
      .run();
  // Products and sums that are denormal numbers, or would be. One difference remains that no line
  // shows: a product less than half an ulp below 2^-126 is 2^-126 on x86-64, which flushes what has
  // been rounded, and 0 on aarch64, which flushes first.
  Training("tiny", {37}, "Dense(40, gelu), Dense(24, tanh), Dense(5, softmax)", "adam", 1e-36f)
      .run();
  compute_later_layers();
  compute_convolutions();
  compute_recurrent_layers();
  compute_sequences();
  compute_masks();
  compute_steps();
}

/// Exit code: 0 if the file has the same lines.
int compare(const char* path) {
  std::ifstream file(path);
  std::vector<std::string> expected;
  for (std::string line; std::getline(file, line);) expected.push_back(line);
  int differences = 0;
  for (std::size_t i = 0; i < std::max(lines.size(), expected.size()); ++i) {
    const std::string got = i < lines.size() ? lines[i] : "nothing";
    const std::string wanted = i < expected.size() ? expected[i] : "nothing";
    if (got == wanted) continue;
    fmt::print("expected {}\n     got {}\n", wanted, got);
    ++differences;
  }
  fmt::print("{}: {} of {} lines differ from {}\n", kernels().name, differences, lines.size(),
             path);
  return differences == 0 ? 0 : 1;
}

int run(int argc, char** argv) {
  const char* wanted = std::getenv("LOCKSTEP_KERNELS");
  if (wanted != nullptr && find_kernels(wanted) == nullptr) {
    fmt::print("skipped: this CPU cannot run the kernels '{}'\n", wanted);
    return 77;
  }
  compute();
  if (argc > 1) return compare(argv[1]);
  for (const std::string& line : lines) fmt::print("{}\n", line);
  return 0;
}

}  // namespace
}  // namespace lockstep

int main(int argc, char** argv) {
  try {
    return lockstep::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bits: {}\n", error.what());
    return 1;
  }
}
