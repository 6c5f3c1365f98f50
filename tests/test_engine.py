"""The engine: against published figures, and against central differences in high precision."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests import precise
from tests.networks import definitions
from xlbackprop import Definition, load, train
from xlbackprop.engine.order import sample_order
from xlbackprop.engine.trace import Trace
from xlbackprop.engine.training import evaluate, train_all
from xlbackprop.ground.errors import UnknownQuantityError
from xlbackprop.network.activations import ACTIVATIONS
from xlbackprop.network.names import derivative

FIRST_ROW = {
    "h1": 0.0275,
    "a_h1": 0.506874566764534,
    "h2": 0.0425,
    "a_h2": 0.510623401004964,
    "o1": 0.432530357158047,
    "a_o1": 0.606477732206728,
    "o2": 0.534280153934997,
    "a_o2": 0.630480835450635,
    "E1": 0.00566875372794384,
    "E2": 0.00851262420994782,
    "E_total": 0.0141813779378917,
    "∂E/∂w5": 0.0128808186316283,
    "∂E/∂w8": 0.0155223081199947,
}
"""The original sheet's first row, brief 3.2, for everything that it has right."""

LAST_LOSS = {0.1: 9.57e-3, 0.2: 6.37e-3, 0.5: 1.78e-3, 0.8: 4.79e-4, 1: 1.97e-4, 2: 2.09e-6}


@pytest.mark.parametrize(("name", "value"), FIRST_ROW.items())
def test_first_iteration_of_the_original(name: str, value: float) -> None:
    assert train(load())[name][0] == pytest.approx(value, rel=1e-13)


def test_the_originals_slip_is_not_here() -> None:
    assert train(load())["∂E/∂w3"][0] == pytest.approx(0.000351776321590732, rel=1e-12)
    assert train(load())["∂E/∂w3"][0] != pytest.approx(0.00035186866513539, rel=1e-6)


@pytest.mark.parametrize(("learning_rate", "loss"), LAST_LOSS.items())
def test_loss_after_68_rows(learning_rate: float, loss: float) -> None:
    trace = train(load(learning_rate=learning_rate))
    assert len(trace) == 68
    assert trace["E_total"][-1] == pytest.approx(loss, rel=3e-3)


def test_enormous_learning_rates() -> None:
    stuck = train(load(learning_rate=1000))["E_total"]
    assert stuck[1] == pytest.approx(0.24999725, abs=5e-9)
    assert np.all(stuck[1:] > 0.2499)
    recovers = train(load(learning_rate=100))["E_total"]
    assert recovers[1] > recovers[0] > recovers[-1]
    assert train(load(learning_rate=100_000))["E_total"][-1] < 1e-12


MAZUR = {
    (0, "net_h1"): 0.3775,
    (0, "out_h1"): 0.593269992,
    (0, "net_o1"): 1.105905967,
    (0, "out_o1"): 0.751365070,
    (0, "out_o2"): 0.772928465,
    (0, "E_total"): 0.298371109,
    (0, "∂E/∂w5"): 0.082167041,
    (0, "∂E/∂w1"): 0.000438568,
    (1, "w5"): 0.35891648,
    (1, "w6"): 0.408666186,
    (1, "w7"): 0.511301270,
    (1, "w8"): 0.561370121,
    (1, "w1"): 0.149780716,
    (1, "w2"): 0.19956143,
    (1, "w3"): 0.24975114,
    (1, "w4"): 0.29950229,
    (1, "E_total"): 0.291027773694,
}


@pytest.mark.parametrize(("place", "value"), MAZUR.items())
def test_mazurs_figures(place: tuple[int, str], value: float) -> None:
    iteration, name = place
    assert train(load("mazur"))[name][iteration] == pytest.approx(value, abs=6e-9)  # eight published decimals


def test_mazur_after_ten_thousand_updates() -> None:
    trace = train(load("mazur", iterations=10_001))
    assert trace["E_total"][9_999] == pytest.approx(0.0000351085, abs=5e-11)
    assert trace["E_total"][10_000] == pytest.approx(0.0000351018784, rel=1e-8)
    assert trace["out_o1"][10_000] == pytest.approx(0.015913620444, abs=5e-13)
    assert trace["out_o2"][10_000] == pytest.approx(0.984064273515, abs=5e-13)


@pytest.mark.parametrize(("a_unit", "loss"), [(True, 0.280471446791), (False, 0.285750886699)])
def test_mazur_with_trained_biases(a_unit: bool, loss: float) -> None:
    mazur = load("mazur")
    layers = tuple(replace(layer, bias=layer.biases * 2 if a_unit else layer.bias) for layer in mazur.layers)
    trained = replace(mazur, layers=layers, train_biases=True)
    assert train(trained)["E_total"][1] == pytest.approx(loss, abs=5e-13)


@settings(max_examples=60)
@given(definitions(iterations=2))
def test_gradients_are_central_differences(definition: Definition) -> None:
    trace = train(definition)
    assume(not _is_at_a_kink(definition, trace))
    for name, value in _differences(definition):
        assert trace[name][0] == pytest.approx(value, rel=1e-10, abs=1e-14), name


@settings(max_examples=60)
@given(definitions(iterations=3, plain=True))
def test_updates_follow_the_gradients_of_the_same_iteration(definition: Definition) -> None:
    trace = train(definition)
    learned = [weight for layer in definition.names.weights for row in layer for weight in row]
    if definition.train_biases:
        learned += [bias for layer in definition.names.biases for bias in layer]
    for name in learned:
        gradient = trace[derivative("E_total", name)][:-1]
        expected = trace[name][:-1] - definition.learning_rate * gradient
        # the gradients kept are those of a second pass over all iterations at once, rounded in its own way
        np.testing.assert_allclose(trace[name][1:], expected, rtol=1e-14, atol=1e-15)


@settings(max_examples=60)
@given(definitions(iterations=1, plain=True))
def test_links_multiply_to_the_gradients(definition: Definition) -> None:
    values = train(definition).at(0)
    names = definition.names
    for layer, rows in enumerate(names.weights):
        for unit, output, row in zip(names.pre_activations[layer], names.activations[layer], rows, strict=True):
            delta = values[f"∂E/∂{output}"] * values[f"∂{output}/∂{unit}"]
            assert values[f"∂E/∂{unit}"] == pytest.approx(delta)
            for weight in row:
                assert values[f"∂E/∂{weight}"] == pytest.approx(delta * values[f"∂{unit}/∂{weight}"])


def test_saturation_is_silent() -> None:
    content = replace(load(), inputs=(1e6, -1e6), targets=(0.0, 1.0))
    with warnings.catch_warnings(), np.errstate(all="raise", under="ignore"):
        warnings.simplefilter("error")
        for trace in train_all([replace(content, learning_rate=rate) for rate in (0.1, 1e6)]):
            assert np.all(np.isfinite(trace.values))


@pytest.mark.thorough
@given(st.data())
def test_many_networks_at_once_are_each_alone(data: st.DataObject) -> None:
    first = data.draw(definitions())
    others = [
        replace(
            first,
            learning_rate=rate,
            inputs=tuple(tuple(value + shift for value in sample.inputs) for sample in first.samples),
            targets=tuple(sample.targets for sample in first.samples),
            layers=tuple(
                replace(layer, weights=tuple(tuple(w - shift for w in row) for row in layer.weights))
                for layer in first.layers
            ),
        )
        for rate, shift in ((0.1, 0.1), (1.0, 1.0), (1000.0, 2.0))  # products of larger numbers lose more in rounding
    ]
    for alone, together in zip([first, *others], train_all([first, *others]), strict=True):
        np.testing.assert_allclose(together.values, train(alone).values, rtol=1e-12, atol=1e-14)


def test_networks_of_two_kinds_are_not_trained_at_once() -> None:
    with pytest.raises(ValueError, match="differ in their numbers only"):
        train_all([load(), load("mazur")])


@pytest.mark.parametrize(
    ("asked", "meant"),
    [("dE/dw1", "∂E/∂w1"), ("DE/DW1", "∂E/∂w1"), ("∂E_total/∂w1", "∂E/∂w1"), ("out_h1", "a_h1"), ("ah1", "a_h1")],
)
def test_names_are_understood_as_people_write_them(asked: str, meant: str) -> None:
    trace = train(load())
    np.testing.assert_array_equal(trace[asked], trace[meant])


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UnknownQuantityError, match='did you mean "∂E/∂w8"'):
        train(load())["∂E/∂w88"]


def _is_at_a_kink(definition: Definition, trace: Trace) -> bool:
    """Whether a pre-activation is so near a kink that rounding decides on which side of it the unit is."""
    for layer, units in zip(definition.layers, definition.names.pre_activations, strict=True):
        entry = ACTIVATIONS.get(layer.activation)
        sides = np.array([-1e-9, 1e-9])
        has_kink = entry is not None and np.ptp(entry.derivative(sides, entry.value(sides))) > 1e-6
        if has_kink and any(abs(trace[unit][0]) < 1e-9 for unit in units):
            return True
    return False


def _differences(definition: Definition) -> Iterator[tuple[str, float]]:
    """∂E/∂x of every parameter x by central differences, in high precision; kinks have none and are left out."""
    with mpmath.workdps(precise.DIGITS):
        step = mpmath.mpf(10) ** -20
        here = _loss(definition, lambda weights, biases: None)
        for name, change in _parameters(definition):
            higher, lower = (_loss(definition, partial(change, by=sign * step)) for sign in (1, -1))
            right, left = (higher - here) / step, (here - lower) / step
            if abs(right - left) <= 1e-12 * (1 + abs(right)):
                yield derivative("E_total", name), float((higher - lower) / (2 * step))


class Change(Protocol):
    """Adds something to one parameter of a network."""

    def __call__(self, weights: precise.Weights, biases: precise.Biases, by: mpmath.mpf) -> None: ...


def _parameters(definition: Definition) -> Iterator[tuple[str, Change]]:
    for layer, rows in enumerate(definition.names.weights):
        for unit, row in enumerate(rows):
            for source, name in enumerate(row):

                def change(
                    weights: precise.Weights,
                    biases: precise.Biases,
                    by: mpmath.mpf,
                    at: tuple[int, int, int] = (layer, unit, source),
                ) -> None:
                    weights[at[0]][at[1]][at[2]] += by

                yield name, change
    for layer, names in enumerate(definition.names.biases if definition.train_biases else ()):
        for index, name in enumerate(names):

            def shift(
                weights: precise.Weights, biases: precise.Biases, by: mpmath.mpf, at: tuple[int, int] = (layer, index)
            ) -> None:
                biases[at[0]][at[1]] += by

            yield name, shift


def _loss(definition: Definition, change: Callable[[precise.Weights, precise.Biases], None]) -> mpmath.mpf:
    """The loss of the first iteration in high precision, after a change of one parameter."""
    weights = [[[mpmath.mpf(w) for w in row] for row in layer.weights] for layer in definition.layers]
    biases = [[mpmath.mpf(b) for b in layer.biases] for layer in definition.layers]
    change(weights, biases)
    return precise.loss(definition, weights, biases)


@settings(max_examples=60)
@given(definitions(iterations=8))
def test_batches_are_followed_by_the_mean_of_their_gradients(definition: Definition) -> None:
    order, trace = sample_order(definition), train(definition)
    if order.batch_size == 1:
        return
    for end in np.flatnonzero(order.ends_batch).tolist():
        batch = slice(end + 1 - int(order.size[end]), end + 1)
        for layer in definition.names.weights:
            for weight in (name for row in layer for name in row):
                mean = trace[derivative("E_total", weight)][batch].mean()
                assert trace[derivative("Ē", weight)][end] == pytest.approx(mean, rel=1e-9, abs=1e-14)
                assert np.ptp(trace[weight][batch]) == 0, "no weight changes within a batch"


@given(definitions(iterations=8))
def test_every_epoch_takes_every_sample_once(definition: Definition) -> None:
    order, count = sample_order(definition), len(definition.samples)
    for start in range(0, definition.iterations - count + 1, count):
        assert sorted(order.sample[start : start + count]) == list(range(1, count + 1))
    assert order.update[-1] == order.ends_batch[:-1].sum()
    assert order == sample_order(replace(definition, learning_rate=0.5)), "the seed decides, and nothing else"


def test_a_shuffled_order_differs_from_epoch_to_epoch() -> None:
    several = replace(load(), inputs=((0.1, 0.2),) * 8, targets=((0.5, 0.5),) * 8, order="shuffled", iterations=64)
    order = sample_order(several).sample.reshape(8, 8)
    assert len({tuple(epoch) for epoch in order.tolist()}) == 8
    assert sample_order(replace(several, seed=1)).order != sample_order(several).order


def test_many_settings_at_once_are_each_a_network_of_its_own() -> None:
    definition = replace(load("mazur"), train_biases=True)
    many = evaluate(definition, {"w6": np.array([0.1, -2.0]), "b1": np.array([0.35, 1.0])})
    assert len(many) == 2
    hidden, output = definition.layers
    other = replace(definition, layers=(replace(hidden, bias=1.0), replace(output, weights=((0.4, -2.0), (0.5, 0.55)))))
    assert many.at(1) == train(other).at(0)
    assert many.at(0) != train(definition).at(0)
