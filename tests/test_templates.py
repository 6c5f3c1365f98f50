"""The ready-made templates: each behaves as the sentence says that it opens with."""

from __future__ import annotations

import re
import shutil
import tomllib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

from tests import judges
from tests.books import build
from tests.cases import thorough_but
from tests.test_judges import assert_agree
from tests.test_sample import committed
from xlbackprop import Definition, load, train
from xlbackprop.derivation.equations import derive
from xlbackprop.engine.trace import Trace
from xlbackprop.engine.training import evaluate
from xlbackprop.network import templates
from xlbackprop.workbook.sheets import gradient_check

Array = NDArray[np.float64]

SHELF = ("classic-01-99", "mazur-biases", "and-or", "xor", "regression", "iris-mini", "deep", "dead-relu")
LARGEST_FILE = 1_800_000
"""Bytes: more than this is slow to open in a classroom."""


def answers(definition: Definition, trace: Trace) -> Array:
    """What the network says to each sample with the weights of the last iteration, shape (samples, outputs)."""
    last = {name: trace[name][-1:] for name in derive(definition).learned}
    passes = [evaluate(definition, last, sample) for sample in range(len(definition.samples))]
    return np.array([[each[name][0] for name in definition.names.activations[-1]] for each in passes])


def targets(definition: Definition) -> Array:
    return np.array([sample.targets for sample in definition.samples])


def printed(value: float, figure: str) -> str:
    """The value with as many decimals as a published figure has."""
    return f"{value:.{len(figure.partition('.')[2])}f}"


def test_they_are_listed_as_one_teaches_with_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = templates.names()
    assert [name for name in listed if name != "optimisers"] == ["classic", SHELF[0], "mazur", *SHELF[1:]]
    for name in ("xor", "my-own", "classic"):
        shutil.copy(templates.locate("classic"), tmp_path / f"{name}.toml")
    monkeypatch.setattr(templates, "_FOLDER", tmp_path)
    assert templates.names() == ("classic", "xor", "my-own")


GRADIENTS_01_99 = {
    "w1": "0.000188255667",
    "w2": "0.000376511334",
    "w3": "0.000224813463",
    "w4": "0.000449626925",
    "w5": "0.072157072912",
    "w6": "0.072690745192",
    "w7": "-0.042455250093",
    "w8": "-0.042769248280",
}
LOSSES_01_99 = {
    0.5: {0: "0.242519857348", 1: "0.235495378", 10: "0.179463719", 50: "0.0633924601", 100: "0.0291666802"},
    2.0: {0: "0.242519857348", 1: "0.214901599", 10: "0.07692298", 50: "0.0122261078", 100: "0.0051601086"},
}
"""By learning rate and number of updates, brief 3.6."""


def test_classic_01_99_has_its_figures() -> None:
    first = train(load("classic-01-99")).at(0)
    found = {name: printed(first[f"∂E/∂{name}"], figure) for name, figure in GRADIENTS_01_99.items()}
    assert found == GRADIENTS_01_99
    for rate, losses in LOSSES_01_99.items():
        trace = train(load("classic-01-99", learning_rate=rate, iterations=101))
        assert {k: printed(trace["E_total"][k], figure) for k, figure in losses.items()} == losses


def test_classic_01_99_lets_one_output_fall_and_the_other_rise() -> None:
    classic, definition = load("classic"), load("classic-01-99")
    assert replace(definition, title=classic.title, teaches=classic.teaches, targets=classic.targets) == classic
    trace = train(definition)
    assert all(np.all(trace[f"∂E/∂{name}"] > 0) for name in ("w5", "w6"))
    assert all(np.all(trace[f"∂E/∂{name}"] < 0) for name in ("w7", "w8"))
    assert np.all(np.diff(trace["a_o1"]) < 0)
    assert np.all(np.diff(trace["a_o2"]) > 0)


def test_mazurs_biases_learn_like_weights_whose_input_is_1() -> None:
    definition, fixed = load("mazur-biases"), load("mazur")
    trace = train(definition)
    assert printed(trace["E_total"][1], "0.280471446791") == "0.280471446791"
    for names, units in zip(definition.names.biases, definition.names.pre_activations, strict=True):
        for bias, unit in zip(names, units, strict=True):
            np.testing.assert_array_equal(trace[f"∂E/∂{bias}"], trace[f"∂E/∂{unit}"])
            np.testing.assert_allclose(np.diff(trace[bias]), -0.5 * trace[f"∂E/∂{unit}"][:-1], rtol=1e-9)
    for loss in (train(fixed)["E_total"][1], trace["E_total"][1]):
        assert printed(loss, "0.123456789") in definition.note


def test_mazurs_biases_can_be_one_a_layer_by_exchanging_the_lines(tmp_path: Path) -> None:
    text = templates.locate("mazur-biases").read_text(encoding="utf-8")
    exchanged, count = re.subn(r"(?m)^bias = \[.*\n# (bias = .*)$", r"\1", text)
    assert count == 2
    path = tmp_path / "one-a-layer.toml"
    path.write_text(exchanged, encoding="utf-8")
    definition = load(path)
    assert [len(names) for names in definition.names.biases] == [1, 1]
    loss = train(definition)["E_total"][1]
    assert printed(loss, "0.285750886699") == "0.285750886699"
    assert printed(loss, "0.123456789") in definition.note


def test_single_neurons_learn_and_and_or() -> None:
    definition = load("and-or")
    assert len(definition.layers) == 1
    inputs = np.array([sample.inputs for sample in definition.samples])
    assert sorted(map(tuple, inputs)) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    wanted = np.stack([inputs.min(axis=1), inputs.max(axis=1)], axis=1)
    np.testing.assert_array_equal(targets(definition), wanted)
    np.testing.assert_array_equal(answers(definition, train(definition)) > 0.5, wanted == 1)


def test_a_single_neuron_never_learns_xor() -> None:
    definition = load("and-or", iterations=2000)
    xor = replace(definition, targets=tuple((both, one - both) for both, one in definition.targets))  # type: ignore[misc]
    np.testing.assert_array_equal(targets(xor)[:, 1:], targets(load("xor")))
    said = answers(xor, train(xor))
    assert np.any((said > 0.5)[:, 1] != (targets(xor) == 1)[:, 1])


def test_two_hidden_neurons_learn_xor() -> None:
    definition = load("xor")
    assert len(definition.layers[0].weights) == 2
    inputs = np.array([sample.inputs for sample in definition.samples])
    np.testing.assert_array_equal(targets(definition)[:, 0], inputs.sum(axis=1) == 1)
    trace = train(definition)
    np.testing.assert_array_equal(answers(definition, trace) > 0.5, targets(definition) == 1)
    losses = trace["E_total"].reshape(-1, 4).mean(axis=1)
    assert losses[len(losses) // 5] > 0.9 * losses[0], "it lingers"
    assert losses[-1] < 0.1 * losses[0], "then it falls"


def test_two_tanhs_make_a_hill() -> None:
    definition = load("regression")
    x = np.array([sample.inputs for sample in definition.samples])
    assert len(x) == 9
    np.testing.assert_array_equal(targets(definition), np.round(np.exp(-(x**2)), 2))
    trace = train(definition)
    np.testing.assert_allclose(answers(definition, trace), targets(definition), atol=0.02)
    rising, falling, *outgoing = (trace[name][-1] for name in ("w1", "w2", "w3", "w4"))
    assert rising > 0 > falling
    assert min(outgoing) > 0


def test_all_flowers_are_named() -> None:
    definition = load("iris-mini")
    assert len(definition.samples) == 15
    trace = train(definition)
    said = answers(definition, trace)
    np.testing.assert_allclose(said.sum(axis=1), 1)
    np.testing.assert_array_equal(said.argmax(axis=1), targets(definition).argmax(axis=1))
    batches = targets(definition).reshape(-1, 3, 3)
    np.testing.assert_array_equal(batches, np.broadcast_to(np.eye(3), batches.shape))


def test_gradients_vanish_layer_by_layer() -> None:
    definition = load("deep")
    assert [layer.activation for layer in definition.layers] == ["sigmoid"] * 4
    trace = train(definition)
    names = [[name for row in rows for name in row] for rows in definition.names.weights]
    largest = [np.max([np.abs(trace[f"∂E/∂{name}"]) for name in layer], axis=0) for layer in names]
    for layer, following in pairwise(largest):
        assert np.all(layer < following / 3)
    assert np.all(largest[0] < largest[-1] / 250)


def test_a_dead_relu_stays_dead_while_its_neighbour_learns() -> None:
    definition = load("dead-relu")
    trace = train(definition)
    assert np.all(trace["h2"] < 0)
    for name in ("w2", "b2", "w4"):
        assert np.all(trace[f"∂E/∂{name}"] == 0)
        assert np.all(trace[name] == trace[name][0])
        assert trace.final[name] == trace[name][0]
    x, wanted, said = (
        np.array(each)[:, 0] for each in (definition.inputs, targets(definition), answers(definition, trace))
    )
    np.testing.assert_array_equal(wanted, np.abs(x))
    np.testing.assert_allclose(said[x > 0], wanted[x > 0], atol=0.02)
    assert np.all(said[x < 0] == 0)


def test_a_dead_relu_can_be_woken_as_its_note_says() -> None:
    definition = load("dead-relu")
    assert "put 0.1 in the place of the −2 under b2" in definition.note
    hidden, output = definition.layers
    assert hidden.biases[1] == -2
    woken = replace(definition, layers=(replace(hidden, bias=(hidden.biases[0], 0.1)), output))
    np.testing.assert_allclose(answers(woken, train(woken)), targets(woken), atol=0.02)


@pytest.mark.parametrize("name", thorough_but(templates.names(), "classic", "xor"))
def test_every_gradient_is_confirmed_and_the_file_is_light(name: str, tmp_path: Path) -> None:
    definition, path = load(name), tmp_path / "book.xlsx"
    path.write_bytes(committed(f"output/{name}.xlsx"))
    assert path.stat().st_size < LARGEST_FILE
    cells, rows = judges.carried(path), gradient_check.Layout(derive(definition).learned).rows
    assert {cells["Gradient check", f"I{row}"] for row in rows} <= {"✓ agree", "✓ both 0"}


HEAVY = ("xor", "regression", "iris-mini")
"""They are judged over their first iterations, and without the sheet that takes a judge the longest."""


@pytest.mark.parametrize("name", thorough_but(SHELF, "classic-01-99"))
def test_a_judge_agrees(name: str, tmp_path: Path) -> None:
    definition = load(name, iterations=8 if name in HEAVY else None)
    sheets = ("step-by-step", "learning-rates", "gradient-check", "your-turn") if name in HEAVY else None
    path = build(definition, tmp_path / "book.xlsx", sheets=sheets)
    expected = judges.carried(path)
    allowed = judges.allowances(derive(definition).learned, expected)
    assert_agree(judges.ironcalc_judge(path, {}), expected, name, allowed)


@pytest.mark.parametrize("name", SHELF)
def test_the_file_is_one_to_copy_from(name: str) -> None:
    text = templates.locate(name).read_text(encoding="utf-8")
    assert text.startswith("# ")
    keys = list(tomllib.loads(text))
    assert keys[:2] == ["title", "teaches"]
