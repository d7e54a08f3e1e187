"""Writes keras_optimizers.json: what Keras 3's optimizers make of two numbers in a few steps, and the rates of its
schedules.

    python3 tests/reference/keras_optimizers.py > tests/reference/keras_optimizers.json

tests/src/optimizers reads it. Needs, from PyPI: keras, tensorflow.
"""
import json

from real_keras import find_keras

START = [1.0, -2.0]
GRADIENTS = [[0.1, -0.2], [-0.05, 0.3], [0.02, 0.0], [0.4, -0.1], [-0.3, 0.05], [0.2, -0.02]]
OPTIMIZERS = [
    ("SGD", {}), ("SGD", {"momentum": 0.9}), ("SGD", {"momentum": 0.9, "nesterov": True}),
    ("Adam", {}), ("Adam", {"epsilon": 1e-2}), ("Adam", {"amsgrad": True, "beta_2": 0.5}),
    ("AdamW", {}), ("AdamW", {"weight_decay": 0.5, "learning_rate": 0.01, "amsgrad": True}),
    ("RMSprop", {}), ("RMSprop", {"momentum": 0.9, "rho": 0.8}), ("RMSprop", {"centered": True, "epsilon": 1e-3}),
    ("RMSprop", {"centered": True, "momentum": 0.5, "epsilon": 1e-5}),
    ("Adagrad", {}), ("Adagrad", {"initial_accumulator_value": 0.01, "epsilon": 1e-2, "learning_rate": 0.1}),
    ("Adadelta", {"learning_rate": 1.0}), ("Adadelta", {"learning_rate": 0.5, "rho": 0.7, "epsilon": 1e-4}),
    ("Adamax", {}), ("Adamax", {"beta_1": 0.5, "beta_2": 0.6, "epsilon": 1e-2}),
    ("Nadam", {}), ("Nadam", {"beta_1": 0.7, "beta_2": 0.8, "epsilon": 1e-3}),
    ("Lion", {}), ("Lion", {"beta_1": 0.5, "beta_2": 0.3, "weight_decay": 0.1, "learning_rate": 0.01}),
    ("Ftrl", {"learning_rate": 0.1}), ("Ftrl", {"learning_rate": 0.1, "learning_rate_power": -0.7}),
    ("Ftrl", {"learning_rate": 0.1, "learning_rate_power": 0.0}),
    ("Ftrl", {"learning_rate": 0.1, "l1_regularization_strength": 0.01, "l2_regularization_strength": 0.02,
              "l2_shrinkage_regularization_strength": 0.03, "beta": 0.1, "initial_accumulator_value": 0.2}),
    ("Lamb", {}), ("Lamb", {"learning_rate": 0.05, "beta_1": 0.5, "beta_2": 0.6, "epsilon": 1e-2, "weight_decay": 0.1}),
    ("Lamb", {"learning_rate": 0.05, "gradient_accumulation_steps": 2, "clipnorm": 0.1, "use_ema": True}),
    ("SGD", {"learning_rate": 0.1, "weight_decay": 0.25}), ("SGD", {"learning_rate": 0.1, "clipvalue": 0.15}),
    ("SGD", {"learning_rate": 0.1, "clipnorm": 0.2}), ("SGD", {"learning_rate": 0.1, "global_clipnorm": 0.2}),
    ("SGD", {"learning_rate": 0.1, "use_ema": True, "ema_momentum": 0.75}),
    ("SGD", {"learning_rate": 0.1, "use_ema": True, "ema_momentum": 0.75, "ema_overwrite_frequency": 2}),
    ("Adam", {"learning_rate": 0.1, "gradient_accumulation_steps": 2}),
    ("Nadam", {"learning_rate": 0.1, "gradient_accumulation_steps": 2, "use_ema": True, "ema_momentum": 0.5,
               "ema_overwrite_frequency": 2, "weight_decay": 0.1, "clipvalue": 0.05}),
    ("Adagrad", {"learning_rate": 0.1, "gradient_accumulation_steps": 3, "clipnorm": 0.1}),
]
SCHEDULES = [
    ("InverseTimeDecay", {"decay_steps": 100, "decay_rate": 0.5}),
    ("InverseTimeDecay", {"decay_steps": 100, "decay_rate": 0.5, "staircase": True}),
    ("PolynomialDecay", {"decay_steps": 100}),
    ("PolynomialDecay", {"decay_steps": 100, "end_learning_rate": 0.01, "power": 0.5}),
    ("PolynomialDecay", {"decay_steps": 100, "end_learning_rate": 0.01, "power": 2.0, "cycle": True}),
    ("CosineDecayRestarts", {"first_decay_steps": 100}),
    ("CosineDecayRestarts", {"first_decay_steps": 100, "t_mul": 1.0, "m_mul": 0.5, "alpha": 0.1}),
    ("CosineDecayRestarts", {"first_decay_steps": 30, "t_mul": 1.5, "m_mul": 0.9, "alpha": 0.2}),
]
STEPS = [0, 1, 50, 99, 100, 101, 150, 250, 299, 300, 301, 700, 1234]


def updates(keras, class_name, settings):
    import numpy as np
    optimizer = getattr(keras.optimizers, class_name)(**settings)
    variable = keras.Variable(np.array(START, "float32"))
    optimizer.build([variable])
    values = []
    for gradient in GRADIENTS:
        optimizer.apply([keras.ops.convert_to_tensor(np.array(gradient, "float32"))])
        values.append(variable.numpy().tolist())
    optimizer.finalize_variable_values([variable])
    return {"class_name": class_name, "settings": settings, "values": values, "final": variable.numpy().tolist()}


def rates(keras, class_name, settings):
    schedule = getattr(keras.optimizers.schedules, class_name)(0.1, **settings)
    return {"json": keras.optimizers.schedules.serialize(schedule), "rates": [float(schedule(step)) for step in STEPS]}


def main():
    keras = find_keras("keras3")
    print(json.dumps({"start": START, "gradients": GRADIENTS, "updates": [updates(keras, *each) for each in OPTIMIZERS],
                      "steps": STEPS, "schedules": [rates(keras, *each) for each in SCHEDULES]}).replace('{"class', '\n{"class').replace('{"json', '\n{"json'))


if __name__ == "__main__":
    main()
