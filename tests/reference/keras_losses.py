"""Writes keras_losses.json: losses, their gradients and metrics of a few predictions, by real Keras.

    KERAS_BACKEND=tensorflow python3 tests/reference/keras_losses.py > tests/reference/keras_losses.json

tests/src/losses/keras_losses_test.cpp and tests/src/metrics/keras_metrics_test.cpp read it. Needs, from PyPI: keras,
tensorflow.
"""
import json

import keras
import numpy
import tensorflow

ROWS, COLUMNS = 6, 3


def rounded(array):
    """Nine digits tell a float32."""
    return [float(f"{x:.9g}") for x in numpy.asarray(array, "float32").ravel()]


random = numpy.random.default_rng(1)
one_hot = numpy.eye(COLUMNS)[[1, 0, 2, 2, 1, 0]]
yes_or_no = numpy.asarray([[0, 1, 1], [1, 0, 0], [0, 0, 1], [1, 1, 0], [0, 1, 0], [1, 0, 1]])
probabilities = random.uniform(0.05, 0.95, (ROWS, COLUMNS))
probabilities[0] = [0.0, 1.0, 0.5]
numbers = random.normal(0, 1.5, (ROWS, COLUMNS))
arrays = {name: array.astype("float32") for name, array in {
    "probabilities": probabilities, "numbers": numbers, "large": 8 * numbers, "integers": numpy.round(numbers),
    "positive": random.uniform(0.1, 3, (ROWS, COLUMNS)), "other": random.normal(0, 1.5, (ROWS, COLUMNS)),
    "one_hot": one_hot, "soft": one_hot * 0.9 + 0.05, "yes_or_no": yes_or_no, "sides": 2 * yes_or_no - 1}.items()}


def loss_case(name, config, outputs, targets, activation=None):
    """`activation`: the loss reads its output; the outputs are what it is given."""
    loss = keras.losses.get({"class_name": name, "config": dict(config, reduction="none")})

    @tensorflow.function
    def run(x):
        with tensorflow.GradientTape() as tape:
            tape.watch(x)
            values = loss(arrays[targets], keras.activations.get(activation)(x))
        return values, tape.gradient(values, x)

    values, gradient = run(tensorflow.constant(arrays[outputs]))
    return {"json": {"class_name": name, "config": config}, "fused": activation is not None, "outputs": outputs,
            "targets": targets, "sum": float(numpy.sum(numpy.asarray(values, "float64"))), "gradient": rounded(gradient)}


def metric_case(name, config, outputs, targets):
    metric = keras.metrics.get({"class_name": name, "config": config})
    for half in (slice(0, 4), slice(4, None)):
        metric.update_state(arrays[targets][half], arrays[outputs][half])
    return {"json": {"class_name": name, "config": config}, "outputs": outputs, "targets": targets,
            "result": float(metric.result())}


losses = [loss_case(*case) for case in [
    ("MeanSquaredError", {}, "numbers", "other"),
    ("MeanAbsoluteError", {}, "numbers", "other"),
    ("MeanAbsolutePercentageError", {}, "numbers", "other"),
    ("MeanAbsolutePercentageError", {}, "numbers", "yes_or_no"),
    ("MeanSquaredLogarithmicError", {}, "numbers", "positive"),
    ("Huber", {"delta": 0.75}, "numbers", "other"),
    ("LogCosh", {}, "large", "other"),
    ("Hinge", {}, "numbers", "yes_or_no"),
    ("SquaredHinge", {}, "numbers", "sides"),
    ("CategoricalHinge", {}, "numbers", "one_hot"),
    ("CategoricalHinge", {}, "integers", "one_hot"),
    ("CosineSimilarity", {}, "numbers", "other"),
    ("KLDivergence", {}, "probabilities", "soft"),
    ("Poisson", {}, "positive", "yes_or_no"),
    ("BinaryFocalCrossentropy", {}, "probabilities", "yes_or_no"),
    ("BinaryFocalCrossentropy", {"apply_class_balancing": True, "alpha": 0.7, "gamma": 1.5, "label_smoothing": 0.1},
     "probabilities", "yes_or_no"),
    ("BinaryFocalCrossentropy", {"from_logits": True, "gamma": 3.0}, "large", "yes_or_no"),
    ("BinaryFocalCrossentropy", {}, "large", "yes_or_no", "sigmoid"),
    ("CategoricalFocalCrossentropy", {}, "probabilities", "one_hot"),
    ("CategoricalFocalCrossentropy", {"alpha": 0.5, "gamma": 1.25, "label_smoothing": 0.2}, "probabilities", "one_hot"),
    ("CategoricalFocalCrossentropy", {"from_logits": True}, "numbers", "one_hot"),
]]

metrics = [metric_case(*case) for case in [
    ("MeanSquaredError", {}, "numbers", "other"),
    ("RootMeanSquaredError", {}, "numbers", "other"),
    ("MeanAbsolutePercentageError", {}, "numbers", "other"),
    ("MeanSquaredLogarithmicError", {}, "numbers", "positive"),
    ("LogCoshError", {}, "numbers", "other"),
    ("CosineSimilarity", {}, "numbers", "other"),
    ("R2Score", {}, "numbers", "other"),
    ("R2Score", {"class_aggregation": "variance_weighted_average", "num_regressors": 2}, "numbers", "other"),
    ("Hinge", {}, "numbers", "sides"),
    ("SquaredHinge", {}, "numbers", "yes_or_no"),
    ("CategoricalHinge", {}, "numbers", "one_hot"),
    ("KLDivergence", {}, "probabilities", "one_hot"),
    ("Poisson", {}, "positive", "yes_or_no"),
    ("BinaryCrossentropy", {"label_smoothing": 0.1}, "probabilities", "yes_or_no"),
    ("BinaryCrossentropy", {"from_logits": True}, "numbers", "yes_or_no"),
    ("CategoricalCrossentropy", {}, "probabilities", "one_hot"),
    ("TruePositives", {}, "probabilities", "yes_or_no"),
    ("FalsePositives", {"thresholds": 0.25}, "probabilities", "yes_or_no"),
    ("TrueNegatives", {"thresholds": [0.75]}, "probabilities", "yes_or_no"),
    ("FalseNegatives", {}, "probabilities", "yes_or_no"),
    ("Precision", {}, "probabilities", "yes_or_no"),
    ("Precision", {"top_k": 2}, "probabilities", "yes_or_no"),
    ("Precision", {"thresholds": 0.3, "class_id": 1}, "probabilities", "yes_or_no"),
    ("Recall", {}, "probabilities", "yes_or_no"),
    ("Recall", {"top_k": 1, "class_id": 2}, "probabilities", "one_hot"),
    ("Recall", {"thresholds": 1.0}, "probabilities", "yes_or_no"),
    ("F1Score", {"average": "macro"}, "probabilities", "one_hot"),
    ("F1Score", {"average": "weighted", "threshold": 0.5}, "probabilities", "yes_or_no"),
    ("F1Score", {"average": "micro"}, "probabilities", "one_hot"),
    ("FBetaScore", {"average": "macro", "beta": 2.0, "threshold": 0.4}, "probabilities", "yes_or_no"),
    ("AUC", {}, "probabilities", "yes_or_no"),
    ("AUC", {"num_thresholds": 7}, "probabilities", "yes_or_no"),
    ("AUC", {"curve": "PR"}, "probabilities", "yes_or_no"),
    ("AUC", {"curve": "PR", "summation_method": "minoring", "num_thresholds": 11}, "probabilities", "yes_or_no"),
    ("AUC", {"curve": "PRGAIN", "num_thresholds": 20}, "probabilities", "yes_or_no"),
    ("AUC", {"summation_method": "majoring", "thresholds": [0.3, 0.35, 0.9]}, "probabilities", "yes_or_no"),
    ("AUC", {"thresholds": [0.25, 0.5, 0.75]}, "probabilities", "yes_or_no"),
    ("AUC", {"from_logits": True}, "numbers", "yes_or_no"),
    ("SensitivityAtSpecificity", {"specificity": 0.6}, "probabilities", "yes_or_no"),
    ("SpecificityAtSensitivity", {"sensitivity": 0.4, "num_thresholds": 5}, "probabilities", "yes_or_no"),
    ("PrecisionAtRecall", {"recall": 0.5}, "probabilities", "yes_or_no"),
    ("RecallAtPrecision", {"precision": 0.5, "class_id": 0}, "probabilities", "yes_or_no"),
    ("BinaryIoU", {}, "probabilities", "yes_or_no"),
    ("BinaryIoU", {"target_class_ids": [1], "threshold": 0.3}, "probabilities", "yes_or_no"),
]]

print(json.dumps({"columns": COLUMNS, "arrays": {name: rounded(array) for name, array in arrays.items()}, "losses": losses, "metrics": metrics},
                 separators=(",", ":")).replace('{"json"', '\n{"json"'))
