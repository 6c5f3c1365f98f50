"""The iteration that is written down as plain Python: it is what the matrices compute, in a fraction of the time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from statistics import median
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from tests.networks import definitions
from xlbackprop import Definition, load, train
from xlbackprop.engine import training
from xlbackprop.engine.trace import Trace
from xlbackprop.network.activations import ACTIVATIONS
from xlbackprop.network.definition import CONSTANT, GRADIENT_DESCENT

LOOPS = Path(__file__).parent.parent / "benchmarks" / "loops.py"

plain = definitions(iterations=12).map(
    lambda definition: replace(definition, optimiser=GRADIENT_DESCENT, schedule=CONSTANT, batch_size=1)
)


def both(definition: Definition) -> tuple[Trace, Trace, list[bool]]:
    """The training as written down, the one in matrices, and whether each chunk of the first could be run so."""
    ran: list[bool] = []

    def watched(*arguments: object) -> bool:
        ran.append(real(*arguments))  # type: ignore[arg-type]
        return ran[-1]

    real = training._ran
    with patch.object(training, "LEAST_ITERATIONS", 1), patch.object(training, "_ran", watched):
        written = train(definition)
    with patch.object(training, "LEAST_ITERATIONS", len(written) + 1):
        return written, train(definition), ran


@pytest.mark.thorough
@settings(max_examples=60)
@given(definition=plain)
def test_what_is_written_down_is_what_the_matrices_compute(definition: Definition) -> None:
    with np.errstate(all="ignore"):
        written, matrices, _ = both(definition)
    np.testing.assert_allclose(written.values, matrices.values, rtol=1e-8, atol=1e-11)
    assert dict(written.final) == pytest.approx(dict(matrices.final), rel=1e-8, abs=1e-11, nan_ok=True)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_can_be_written_down(activation: str) -> None:
    classic = load(iterations=5)
    layers = tuple(replace(layer, activation=activation) for layer in classic.layers)
    written, matrices, ran = both(replace(classic, layers=layers, learning_rate=0.1))
    assert ran == [True], "small networks are trained in NumPy, slowly: -np.abs(x) would do where np.minimum(x, 0) is"
    np.testing.assert_allclose(written.values, matrices.values, rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize("template", ["mazur", "mazur-biases", "and-or", "xor", "dead-relu"])
def test_templates_too(template: str) -> None:
    definition = replace(load(template, iterations=60), optimiser=GRADIENT_DESCENT, schedule=CONSTANT, batch_size=1)
    written, matrices, ran = both(definition)
    assert ran
    np.testing.assert_allclose(written.values, matrices.values, rtol=1e-9, atol=1e-12)


def test_another_turn_than_the_one_written_down_goes_to_the_matrices() -> None:
    classic = load(iterations=40)
    layers = tuple(replace(layer, activation="relu") for layer in classic.layers)
    written, matrices, ran = both(replace(classic, layers=layers, inputs=(1.0, 2.0), targets=(-3.0, 4.0)))
    assert ran == [False]
    np.testing.assert_array_equal(written.values, matrices.values)


@pytest.mark.slow
def test_one_small_network_is_trained_about_as_fast_as_by_a_loop_over_numbers() -> None:
    def seconds(name: str) -> float:
        command = [sys.executable, str(LOOPS), name, "30000"]
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    assert median(seconds("engine, 1 network") / seconds("Python loop") for _ in range(5)) < 1.5
