// A network that draws clothes: a GAN (Radford et al., arXiv 1511.06434) as Keras users write it,
// in a program of its own. Two objectives over one network are trained in turn, on any number of
// ranks with the same bits:
//
//   lockstep import idx /usr/share/datasets/fashion-mnist --out fashion_mnist.h5
//   mpirun -n 2 dcgan --data fashion_mnist.h5 --run-dir dcgan
//
// Every pass runs in training, as with training=True in Keras: BatchNormalization takes the
// statistics of the pass that runs.
#include <fmt/format.h>
#include <png.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "distributed/ranks/agreement.hpp"
#include "distributed/ranks/session.hpp"
#include "distributed/training/alternating_trainer.hpp"
#include "distributed/training/resident_array.hpp"
#include "io/data/sample_order.hpp"
#include "io/files/atomic_file.hpp"
#include "io/keras/keras_file.hpp"
#include "src/core/exit_code.hpp"
#include "src/core/printable.hpp"
#include "src/core/random.hpp"
#include "src/layers/concatenate.hpp"
#include "src/model/layers_text.hpp"
#include "src/model/network_builder.hpp"

namespace {

using namespace lockstep;
namespace po = boost::program_options;

constexpr std::int64_t kLatent = 64;
constexpr std::int64_t kSide = 28;     // of an image
constexpr std::int64_t kSamples = 10;  // of a sheet, across and down

constexpr const char* kGenerator =
    "Dense(6272), BatchNormalization(), ReLU(), Reshape((7, 7, 128)), "
    "Conv2DTranspose(64, 4, strides=2, padding=same), BatchNormalization(), ReLU(), "
    "Conv2DTranspose(1, 4, strides=2, padding=same, activation=tanh)";
constexpr const char* kDiscriminator =
    "Conv2D(64, 4, strides=2, padding=same), LeakyReLU(0.2), "
    "Conv2D(128, 4, strides=2, padding=same), BatchNormalization(), LeakyReLU(0.2), Flatten(), "
    "Dense(1)";

struct Options {
  std::string data, run_dir = "dcgan";
  std::int64_t epochs = 25, batch_size = 64;
  std::uint64_t seed = 0;
  bool resume = false, help = false;
};

Options parse(int argc, char** argv, po::options_description& known) {
  Options options;
  const auto add = [&](const char* name, auto* value, const char* help) {
    known.add_options()(name, po::value(value)->default_value(*value), help);
  };
  add("data", &options.data, "HDF5 file with x_train, images of 28 x 28 uint8");
  add("epochs", &options.epochs, "passes over the images");
  add("batch-size", &options.batch_size, "images a step, of all ranks together");
  add("seed", &options.seed, "of all that is random");
  add("run-dir", &options.run_dir, "for generator.h5, checkpoint.h5, and samples of every epoch");
  known.add_options()("resume", po::bool_switch(&options.resume), "go on after the last epoch");
  known.add_options()("help", po::bool_switch(&options.help), "print this");
  try {
    po::variables_map given;
    po::store(po::command_line_parser(argc, argv).options(known).positional({}).run(), given);
    po::notify(given);
  } catch (const po::error& error) {
    fail(ExitCode::kUsage, "[options] {}; dcgan --help lists them", printable(error.what()));
  }
  check(options.help || (!options.data.empty() && options.epochs > 0 && options.batch_size > 0),
        ExitCode::kUsage,
        "[options] expected --data FILE.h5, --epochs and --batch-size of at least 1, got '{}', {} "
        "and {}",
        printable(options.data), options.epochs, options.batch_size);
  return options;
}

/// (latent, image) -> the discriminator's logits on what is generated and on the image.
struct Gan {
  NetworkBuilder::Layers generator, discriminator;
  NetworkBuilder::Call fake, both;
  Network network = [this] {
    NetworkBuilder builder("gan");
    const auto latent = builder.input({kLatent}), image = builder.input({kSide, kSide, 1});
    generator = builder.add("generator", kGenerator);
    discriminator = builder.add("discriminator", kDiscriminator);
    fake = builder.apply(discriminator, builder.apply(generator, latent));
    const auto real = builder.apply(discriminator, image);
    both = builder.apply(builder.add(std::make_unique<Concatenate>()), {fake, real});
    return builder.build({both});
  }();
};

/// Rows of normal numbers, which any rank can draw: row i is a function of i.
void draw(const RandomStream& random, std::int64_t first_row, Matrix out) {
  for (std::int64_t i = 0; i < out.size(); ++i)
    out.data[i] =
        static_cast<float>(random.normal(static_cast<std::uint64_t>(first_row * kLatent + i)));
}

/// A batch: noise, and for the discriminator rows of the images; targets in one row for each.
class Batches {
 public:
  Batches(const ArrayView& images, std::uint64_t seed)
      : images_(images), seed_(seed), order_(images.rows, true, seed) {}

  void begin_epoch(std::int64_t epoch) { order_.begin_epoch(epoch); }

  AlternatingTrainer::Batch make(std::int64_t step, bool discriminates, std::int64_t first,
                                 std::int64_t rows) {
    const auto stream = static_cast<std::uint32_t>(2 * step + (discriminates ? 1 : 0));
    const auto input = [=, this](std::size_t which, Range batch_rows, Range, Matrix out) {
      if (which == 0) {
        draw(RandomStream(seed_, Purpose::kSynthetic, stream), batch_rows.first, out);
        return;
      }
      rows_.clear();
      for (std::int64_t i = batch_rows.first; i < batch_rows.last; ++i)
        rows_.push_back(order_.row(first + i));
      gather_rows(images_, rows_, out, Scaling{1 / 127.5f, -1});
    };
    // What is generated is to be told from images, or to be taken for one.
    const auto targets = [=, this](Range batch_rows) {
      const std::int64_t columns = discriminates ? 2 : 1;
      targets_.assign(static_cast<std::size_t>(batch_rows.count() * columns), 1.0f);
      for (std::size_t i = 0; discriminates && i < targets_.size(); i += 2) targets_[i] = 0;
      return Targets{{}, {targets_.data(), batch_rows.count(), columns}};
    };
    return {rows, input, targets};
  }

 private:
  ArrayView images_;
  std::uint64_t seed_;
  SampleOrder order_;
  std::vector<std::int64_t> rows_;
  std::vector<float> targets_;
};

/// A sheet of images with numbers from -1 to 1, row by row, as a PNG file.
void write_sheet(const std::filesystem::path& path, ConstMatrix samples) {
  constexpr std::int64_t kWidth = kSamples * kSide;
  std::vector<unsigned char> pixels(static_cast<std::size_t>(kWidth * kWidth));
  for (std::int64_t y = 0; y < kWidth; ++y)
    for (std::int64_t x = 0; x < kWidth; ++x) {
      const float value =
          samples.row(y / kSide * kSamples + x / kSide)[y % kSide * kSide + x % kSide];
      pixels[static_cast<std::size_t>(y * kWidth + x)] =
          static_cast<unsigned char>((std::clamp(value, -1.0f, 1.0f) + 1) * 127.5f + 0.5f);
    }
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  image.width = image.height = static_cast<png_uint_32>(kWidth);
  image.format = PNG_FORMAT_GRAY;
  png_alloc_size_t size = 0;
  std::vector<std::byte> bytes;
  const auto encode = [&](void* to) {
    check(png_image_write_to_memory(&image, to, &size, 0, pixels.data(), 0, nullptr) != 0,
          ExitCode::kInputOutput, "[{}] expected to make a PNG file, got: {}",
          printable(path.string()), image.message);
  };
  encode(nullptr);
  bytes.resize(size);
  encode(bytes.data());
  write_atomically(path, bytes);
}

/// On one rank: the generator alone, as a Keras file and by some samples, always of the same noise.
void show(const Gan& gan, std::uint64_t seed, const std::filesystem::path& run_dir,
          const std::string& sheet) {
  Network generator = model_from_layers_text(kGenerator);
  generator.build({kLatent});
  copy_layer_weights(gan.network, gan.generator, generator);
  const Range rows{0, kSamples * kSamples};
  const Workspace workspace = generator.inference_workspace(rows.count());
  draw(RandomStream(seed, Purpose::kSynthetic, ~0u), 0, workspace.input(rows));
  write_sheet(run_dir / sheet, generator.forward(workspace, rows, {}));
  save_model(run_dir / "generator.h5", generator, nullptr, "");
}

void train(const Options& options, const Communicator& world) {
  const std::filesystem::path run_dir = options.run_dir, checkpoint = run_dir / "checkpoint.h5";
  on_root(world, [&] {
    std::filesystem::create_directories(run_dir);
    check(options.resume || !std::filesystem::exists(checkpoint), ExitCode::kCannotCreate,
          "[{}] expected a run directory without a checkpoint, or --resume",
          printable(options.run_dir));
  });
  const Communicator host = world.on_this_host();
  const ResidentArray images(world, host, options.data, "x_train", false);
  const ArrayView& x = images.view();
  check_collectively(x.type == ElementType::kUint8 && x.row_elements() == kSide * kSide,
                     ExitCode::kBadData, "[{}] expected images of 28 x 28 uint8, got {} {}",
                     images.label(), to_string(x.type), to_string(x.row_shape));

  Gan gan;
  gan.network.initialize(options.seed);
  const nlohmann::ordered_json none = nlohmann::ordered_json::array();
  const nlohmann::ordered_json loss = {{"class_name", "BinaryCrossentropy"},
                                       {"config", {{"from_logits", true}}}};
  // Rates that fade leave a generator that no longer swings with its judge.
  const nlohmann::ordered_json rate = {
      {"class_name", "ExponentialDecay"},
      {"config", {{"initial_learning_rate", 5e-4}, {"decay_steps", 4500}, {"decay_rate", 0.5}}}};
  const nlohmann::ordered_json adam = {{"class_name", "Adam"},
                                       {"config", {{"learning_rate", rate}, {"beta_1", 0.5}}}};
  Objective judge = gan.network.objective(gan.both, gan.discriminator, adam, loss, none);
  Objective forge = gan.network.objective(gan.fake, gan.generator, adam, loss, none);
  AlternatingTrainer trainer(gan.network, {{"discriminator", &judge}, {"generator", &forge}},
                             Communicator(MPI_COMM_WORLD),
                             {.batch_size = options.batch_size,
                              .rows = x.rows,
                              .seed = options.seed,
                              .inputs = data_facts(world, {x, {}}, "x_train", "y")});
  std::int64_t epoch = 0;
  if (options.resume)
    epoch = std::stoll(trainer.resume(checkpoint));
  else
    trainer.start();

  Batches batches(x, options.seed);
  for (; epoch < options.epochs; ++epoch) {
    const auto begin = std::chrono::steady_clock::now();
    batches.begin_epoch(epoch);
    double judge_loss = 0, forge_loss = 0;
    for (std::int64_t first = 0; first < x.rows; first += options.batch_size) {
      const std::int64_t rows = std::min(options.batch_size, x.rows - first);
      const auto weight = static_cast<double>(rows) / static_cast<double>(x.rows);
      const std::int64_t step = trainer.steps(0);
      judge_loss += weight * trainer.step(0, batches.make(step, true, first, rows)).loss;
      forge_loss += weight * trainer.step(1, batches.make(step, false, first, rows)).loss;
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    const std::string sheet = fmt::format("sheet-{:03}.png", epoch + 1);
    on_root(world, [&] { show(gan, options.seed, run_dir, sheet); });
    trainer.save(checkpoint, std::to_string(epoch + 1));
    if (world.is_root())
      std::cout << fmt::format(
                       "epoch {}/{}  discriminator loss {:.4f}  generator loss {:.4f}  {:.0f} "
                       "images/s  {}",
                       epoch + 1, options.epochs, judge_loss, forge_loss,
                       static_cast<double>(x.rows) / seconds.count(), (run_dir / sheet).string())
                << std::endl;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const Session session(&argc, &argv);
  const Communicator world(MPI_COMM_WORLD);
  try {
    po::options_description known("Options of dcgan");
    Options options;
    together(world, [&] { options = parse(argc, argv, known); });
    if (!options.help) never_alone(world, [&] { train(options, world); });
    if (options.help && world.is_root()) std::cout << known;
    return 0;
  } catch (const std::exception& error) {  // the same on all ranks
    if (world.is_root()) std::cerr << fmt::format("lockstep: {}\n", error.what());
    world.barrier();  // the first rank to leave with an error would end the one that prints
    return static_cast<int>(exit_code_of(error));
  }
}
