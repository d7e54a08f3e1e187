"""Options, config files and networks that must be refused (bad inputs 20 and 21)."""
import json

from support import BAD_DATA, MISSING, NETWORK, USAGE, SystemTest, main, write_clusters


class Options(SystemTest):
    def refused_options(self, words, *options, ranks=(1,)):
        self.refused(USAGE, words, "train", "--data", "d.h5", "--layers", NETWORK, *options, ranks=ranks)

    def test_unknown_option(self):
        self.refused_options(["epoch", "did you mean '--epochs'"], "--epoch", "3", ranks=(1, 3))

    def test_value_overflow(self):
        self.refused_options(["--epochs", "99999999999", "1000000000"], "--epochs", "99999999999", ranks=(1, 3))

    def test_option_twice(self):
        self.refused_options(["--seed", "once"], "--seed", "1", "--seed", "2", ranks=(1, 3))

    def test_wrong_type(self):
        self.refused_options(["--batch-size", "many", "integer"], "--batch-size", "many")

    def test_negative_size(self):
        self.refused_options(["--batch-size", "-32", "1 to"], "--batch-size", "-32")

    def test_number_that_is_none(self):
        self.refused_options(["--learning-rate", "nan"], "--learning-rate", "nan")

    def test_fraction_out_of_range(self):
        self.refused_options(["--validation-split", "1", ">= 0 and < 1"], "--validation-split", "1")

    def test_option_without_value(self):
        self.refused_options(["--epochs"], "--epochs")

    def test_two_networks(self):
        self.refused_options(["--layers", "--model"], "--model", "m.json", ranks=(1, 3))

    def test_two_validation_sets(self):
        self.refused_options(["--validation-split", "--x-val"], "--validation-split", "0.2", "--x-val", "x",
                             "--y-val", "y")

    def test_two_batch_sizes(self):
        self.refused_options(["--batch-size", "--batch-size-per-rank"], "--batch-size", "8",
                             "--batch-size-per-rank", "4")

    def test_overwrite_and_resume(self):
        self.refused_options(["--overwrite", "--resume"], "--overwrite", "--resume", "required")

    def test_patience_without_early_stopping(self):
        self.refused_options(["--early-stopping", "--patience"], "--patience", "2")

    def test_unknown_names(self):
        for option, word in [("--loss", "hinge_of_doom"), ("--optimizer", "adamant"), ("--metrics", "beauty")]:
            write_clusters(self.dir / "d.h5")
            self.refused_options([word], option, word)

    def test_no_network(self):
        self.refused(USAGE, ["--model", "--layers", "--from"], "train", "--data", "d.h5", ranks=(1,))

    def test_no_data(self):
        self.refused(USAGE, ["--data"], "train", "--layers", NETWORK, ranks=(1,))

    def test_unknown_command(self):
        self.refused(USAGE, ["trian", "did you mean 'train'"], "trian", ranks=(1, 3))

    def test_no_command(self):
        self.refused(USAGE, ["command"], ranks=(1, 3))

    def test_escape_sequences_are_shown_not_obeyed(self):
        self.refused(USAGE, ["\\x1b[31m"], "\x1b[31mtrain", ranks=(1,))
        self.refused_options(["\\x1b]0;"], "--seed", "\x1b]0;owned\x07")


class ConfigFiles(SystemTest):
    def refused_config(self, words, text, code=USAGE, ranks=(1,)):
        (self.dir / "my.cfg").write_text(text)
        self.refused(code, words, "train", "my.cfg", "--data", "d.h5", ranks=ranks)

    def test_unknown_key(self):
        self.refused_config(["my.cfg", "line 3", "epoch", "did you mean 'epochs'"],
                            f"# reference\nlayers = {NETWORK}\nepoch = 3\n", ranks=(1, 3))

    def test_key_twice(self):
        self.refused_config(["my.cfg", "line 2", "seed", "line 1"], "seed = 1\nseed = 2\n")

    def test_value_out_of_range(self):
        self.refused_config(["my.cfg", "line 1", "epochs", "0"], "epochs = 0\n")

    def test_line_without_equals_sign(self):
        self.refused_config(["my.cfg", "line 2", "key = value"], "seed = 1\nepochs 5\n")

    def test_both_of_two_alternatives(self):
        self.refused_config(["my.cfg", "model", "layers"], "model = m.json\nlayers = Dense(3)\n")

    def test_binary_file(self):
        self.refused_config(["my.cfg", "line 1"], "\0\1\x1b[2J\0")

    def test_missing(self):
        self.refused(MISSING, ["none.cfg"], "train", "none.cfg", ranks=(1, 3))


def model_json(*layers):
    return json.dumps({"class_name": "Sequential", "config": {"name": "sequential", "layers": layers}})


def dense(**config):
    return {"class_name": "Dense", "config": {"name": "dense", "units": 3, "activation": "softmax", **config}}


class Networks(SystemTest):
    def refused_json(self, words, text, ranks=(1,)):
        write_clusters(self.dir / "d.h5")
        (self.dir / "m.json").write_text(text)
        self.refused(BAD_DATA, words, "train", "--data", "d.h5", "--model", "m.json", ranks=ranks)

    def test_good_json_trains(self):
        write_clusters(self.dir / "d.h5")
        (self.dir / "m.json").write_text(model_json(dense()))
        self.train(1, "d.h5", "--model", "m.json", layers=None)

    def test_syntax_error(self):
        self.refused_json(["m.json", "line 2"], '{"class_name": "Sequential",\n "config": [}\n', ranks=(1, 3))

    def test_unknown_layer(self):
        layer = {"class_name": "LocallyConnected2D", "config": {"name": "locally_connected2d", "filters": 8}}
        self.refused_json(["m.json", "LocallyConnected2D"], model_json(layer, dense()), ranks=(1, 3))

    def test_unknown_argument(self):
        self.refused_json(["m.json", "kernel_karma"], model_json(dense(kernel_karma=3)))

    def test_billion_units(self):
        self.refused_json(["m.json", "1000000000"], model_json(dense(units=1_000_000_000), dense(name="last")))

    def test_negative_units(self):
        self.refused_json(["m.json", "units", "-3"], model_json(dense(units=-3)))

    def test_deep_nesting(self):
        self.refused_json(["m.json"], '{"a":' * 100_000 + "1" + "}" * 100_000)

    def test_nul_and_escape_bytes_in_names(self):
        layer = {"class_name": "Evil\0\x1b[31m", "config": {"name": "\x1b]0;owned\x07"}}
        self.refused_json(["m.json", "Evil\\x00\\x1b[31m"], model_json(layer))

    def test_two_layers_of_one_name(self):
        self.refused_json(["m.json", "dense"], model_json(dense(), dense()))

    def test_missing(self):
        write_clusters(self.dir / "d.h5")
        self.refused(MISSING, ["none.json"], "train", "--data", "d.h5", "--model", "none.json", ranks=(1,))

    def test_layers_text(self):
        write_clusters(self.dir / "d.h5")
        for text, words in [("Dense(8, relu", ["column"]), ("Dense(8, realu)", ["realu", "relu"]),
                            ("Dens(8)", ["Dens", "Dense"]), ("Dense(1000000000), Dense(3)", ["1000000000"])]:
            code = BAD_DATA if "1000" in text else USAGE
            self.refused(code, words, "train", "--data", "d.h5", "--layers", text, ranks=(1,))


if __name__ == "__main__":
    main()
