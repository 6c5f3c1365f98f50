"""What the keys of a definition may be, and what is wrong with what was found there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np

from xlbackprop.ground.errors import Problem, at_most, count, did_you_mean, one_of, shown
from xlbackprop.network.activations import ACTIVATIONS
from xlbackprop.network.definition import Comparison, Definition, DrawnLayer, Layer, Method, Rate, Samples, by_sample
from xlbackprop.network.initial_weights import METHODS
from xlbackprop.network.keys import definition_keys, description, element, fields_of, layer_keys
from xlbackprop.network.losses import LOSSES
from xlbackprop.network.optimisers import OPTIMISERS, WEIGHT_DECAY, Hyperparameter
from xlbackprop.network.schedules import SCHEDULES
from xlbackprop.network.softmax import SOFTMAX

MOST_COMPARED = 6
"""More trainings than this are not seen at once, nor told apart on a chart."""

MOST_WEIGHTS = 250_000
"""Of a network; with a name for each and each derivative, more of them take gigabytes."""

_LONGEST_KEY = 60

LARGEST_ACTIVATION = 1e70
"""Its square is the loss, and optimisers take the squares of gradients that are as large as that."""

_OF_A_DEFINITION, _OF_A_LAYER = definition_keys(), layer_keys()
_KEYS = _OF_A_DEFINITION | _OF_A_LAYER


def read_struct(kind: type[Any], content: Mapping[str, object], prefix: str, problems: list[Problem]) -> Any:
    """Convert one table field by field, so that the first mistake does not hide the others."""
    fields = {field.name: field for field in fields_of(kind)}
    before = len(problems)
    problems.extend(_unknown(content, kind, prefix))
    values: dict[str, Any] = {}
    for name, field in fields.items():
        key = prefix + name
        if name not in content:
            if field.required:
                problems.append(Problem(key, "nothing", _missing(name, field.type)))
            continue
        value = content[name]
        if name == "layers" and isinstance(value, list | tuple) and value:
            values[name] = tuple(_layer(each, f"{key}[{index}]", problems) for index, each in enumerate(value, 1))
        elif name in ("layers", "compare") and isinstance(value, Mapping):
            problems.append(Problem(key, f"a section in single brackets, [{name}]", description(field.type)))
        elif name == "optimiser":
            values[name] = _method(value, key, OPTIMISER_SETTINGS, problems)
        elif name == "schedule":
            values[name] = _method(value, key, SCHEDULE_SETTINGS, problems)
        elif name == "compare":
            values[name] = _comparisons(value, content.get("learning_rate"), problems)
        else:
            values[name] = _converted(value, field.type, key, problems)
    return None if len(problems) > before else kind(**values)


def read_value(kind: type[Any], name: str, value: object, problems: list[Problem]) -> Any:
    """Convert the value of one field; None where that cannot be done, and what is wrong with it is told."""
    field = next(field for field in fields_of(kind) if field.name == name)
    return _converted(value, field.type, name, problems)


def _unknown(content: Mapping[str, object], kind: type[Any], prefix: str) -> Iterator[Problem]:
    """The keys that a table cannot have, or not beside others."""
    keys = _OF_A_DEFINITION if kind is Definition else _OF_A_LAYER
    fields = {field.name for field in fields_of(kind)}
    for key in content:
        if key not in keys and kind is not Definition and key in _OF_A_DEFINITION:
            yield Problem(prefix + key, "a key of the whole definition", "it above the first section in brackets")
        elif key not in keys:
            yield Problem(prefix + _as_typed(key), "an unknown key", f"a known one; {did_you_mean(key, keys)}")
        elif (problem := conflict_of(key, content, prefix)) is not None:
            yield problem
        elif key not in fields:  # of a layer whose weights are neither given nor drawn
            yield Problem(prefix + key, "no units", "units as well, for so many of which weights are drawn")


def _as_typed(key: str) -> str:
    """A key as a TOML file has it, not longer than fits on a line."""
    key = key if len(key) <= _LONGEST_KEY else f"{key[:_LONGEST_KEY]}…"
    return key if re.fullmatch(r"[\w-]+", key) else msgspec.json.encode(key).decode()


def conflict_of(key: str, content: Mapping[str, object], prefix: str = "") -> Problem | None:
    """What is wrong with a key that stands together with those in whose place it may stand; None if it does not."""
    others = _KEYS[key].instead_of
    present = [other for other in others if other in content]
    if not present:
        return None
    return Problem(prefix + key, f"{' and '.join(present)} as well", f"either {key} or {' and '.join(others)}")


def _missing(key: str, kind: Any) -> str:
    """What was expected where a key is missing, with the keys that may stand in its place."""
    instead = " or ".join(other for other, each in _KEYS.items() if key in each.instead_of and each.default is None)
    return f"{description(kind)}; or {instead} in its place" if instead else description(kind)


def _layer(value: object, key: str, problems: list[Problem]) -> Layer | DrawnLayer | None:
    if not isinstance(value, Mapping):
        problems.append(Problem(key, shown(value), "a [[layers]] section"))
        return None
    kind = DrawnLayer if "units" in value and "weights" not in value else Layer
    layer: Layer | DrawnLayer | None = read_struct(kind, value, f"{key}.", problems)
    return layer


def _converted(value: object, kind: Any, key: str, problems: list[Problem]) -> Any:
    """A value of a type; None where it is none, and the place of the mistake is told."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        place, found, expected = _culprit(value, kind, str(error))
        problems.append(Problem(key + place, shown(found), expected))
        return None


def _method(
    value: object, key: str, known: Mapping[str, tuple[Hyperparameter, ...]], problems: list[Problem]
) -> Method | None:
    """An optimiser or a schedule: its name alone, or a table of its name and its settings."""
    table: Mapping[str, object] = value if isinstance(value, Mapping) else {"name": value}
    name = table.get("name")
    if not isinstance(name, str) or name not in known:
        found = shown(name) if "name" in table else "no name"
        problems.append(Problem(key, found, one_of(known, name)))
        return None
    settings = {setting.key: setting for setting in known[name]}
    given: Mapping[str, object] = {each: number for each, number in table.items() if each != "name"}
    if given.keys() == {"settings"} and isinstance(table["settings"], Mapping):
        given = table["settings"]  # as a workbook of ours keeps it, and not as a teacher writes it
    values = {setting.key: setting.default for setting in settings.values()}
    for each, number in given.items():
        if each not in settings:
            expected = f"a setting of {name}; {did_you_mean(each, settings)}" if settings else f"none, {name} has none"
            problems.append(Problem(f"{key}.{_as_typed(each)}", "an unknown key", expected))
            continue
        low, high = settings[each].least, settings[each].most
        if isinstance(number, bool) or not isinstance(number, int | float) or not low <= number <= high:
            problems.append(Problem(f"{key}.{each}", shown(number), f"a number from {low:g} to {high:,.7g}"))
        else:
            values[each] = float(number)
    return Method(name=name, settings=values)


def _comparisons(value: object, learning_rate: object, problems: list[Problem]) -> tuple[Comparison, ...]:
    expected = _KEYS["compare"].expected
    if not isinstance(value, list | tuple):
        problems.append(Problem("compare", shown(value), expected))
        return ()
    if len(value) > MOST_COMPARED:
        problems.append(Problem("compare", count(len(value), "section"), f"{MOST_COMPARED} at most"))
    found = []
    for index, table in enumerate(value, 1):
        key = f"compare[{index}]"
        if not isinstance(table, Mapping):
            problems.append(Problem(key, shown(table), expected))
            continue
        rest = {name: each for name, each in table.items() if name != "learning_rate"}
        if "optimiser" in rest:
            for other in rest:
                if other != "optimiser":
                    known = f"a known one; {did_you_mean(other, ('optimiser', 'learning_rate'))}"
                    problems.append(Problem(f"{key}.{_as_typed(other)}", "an unknown key", known))
            optimiser = _method(rest["optimiser"], f"{key}.optimiser", OPTIMISER_SETTINGS, problems)
        else:
            optimiser = _method(rest, key, OPTIMISER_SETTINGS, problems)
        reported = problems if "learning_rate" in table else []  # else a mistake is the definition's own
        rate = _converted(table.get("learning_rate", learning_rate), Rate, f"{key}.learning_rate", reported)
        if optimiser is not None and rate is not None:
            found.append(Comparison(optimiser=optimiser, learning_rate=rate))
    return tuple(found)


OPTIMISER_SETTINGS = {
    name: (*optimiser.settings, msgspec.structs.replace(WEIGHT_DECAY, default=optimiser.decay))
    for name, optimiser in OPTIMISERS.items()
}
SCHEDULE_SETTINGS = {name: schedule.settings for name, schedule in SCHEDULES.items()}


def shape_problems(definition: Definition) -> Iterator[Problem]:
    """What the parts of a definition say about one another."""
    sources = len(definition.layers)
    uneven = list(_uneven("inputs", definition.inputs)) + list(_uneven("targets", definition.targets))
    yield from uneven
    if uneven:
        return
    inputs, targets = by_sample(definition.inputs), by_sample(definition.targets)
    if len(inputs) != len(targets):
        yield Problem("targets", count(len(targets), "sample"), f"{len(inputs)}, as many as in inputs")
    sources, origin = len(inputs[0]), "input"
    for index, layer in enumerate(definition.layers, 1):
        if isinstance(layer, DrawnLayer):
            if layer.initial not in METHODS:
                yield Problem(f"layers[{index}].initial", shown(layer.initial), one_of(METHODS, layer.initial))
        else:
            for unit, row in enumerate(layer.weights, 1):
                if len(row) != sources:
                    expected = f"{sources}, one for every {origin}"
                    yield Problem(f"layers[{index}].weights[{unit}]", count(len(row), "weight"), expected)
        if isinstance(layer.bias, tuple) and len(layer.bias) != layer.units:
            found = count(len(layer.bias), "bias", "biases")
            yield Problem(f"layers[{index}].bias", found, f"{layer.units}, one for every unit of the layer")
        yield from _activation_problems(f"layers[{index}].activation", layer.activation, index, definition)
        sources, origin = layer.units, f"unit of layer {index}"
    if len(targets[0]) != sources:
        found = count(len(targets[0]), "target")
        yield Problem("targets", found, f"{sources}, one for every unit of the last layer")
    weights = sum(sources * units for sources, units in pairwise(definition.sizes))
    if weights > MOST_WEIGHTS:
        yield Problem("layers", f"{weights:,} weights", at_most(weights, MOST_WEIGHTS, "the weights of a network"))
    yield from _loss_problems(definition)
    yield from _growth_problems(definition)


def _growth_problems(definition: Definition) -> Iterator[Problem]:
    """Values that pass what numbers can hold, as they do in deep networks whose activations have no bounds."""
    most = max(abs(each) for row in by_sample(definition.inputs) for each in row)
    for index, layer in enumerate(definition.layers, 1):
        if layer.activation not in ACTIVATIONS or ACTIVATIONS[layer.activation].bounded:
            most = 1.0
        elif isinstance(layer, Layer):
            most = 1 + max(sum(map(abs, row)) for row in layer.weights) * most + max(map(abs, layer.biases), default=0)
        if most > LARGEST_ACTIVATION:
            expected = f"{LARGEST_ACTIVATION:g} at most: smaller weights, fewer layers or activations with bounds"
            yield Problem(f"layers[{index}]", f"activations up to {most:.0e}", expected)
            return


def _uneven(key: str, values: Samples) -> Iterator[Problem]:
    """Samples of different lengths, or numbers among lists."""
    several = isinstance(values[0], tuple)
    for index, each in enumerate(values, 1):
        if isinstance(each, tuple) != several:
            found = f"a list of {len(each)}" if isinstance(each, tuple) else shown(each)
            yield Problem(
                f"{key}[{index}]", found, "a list like the first one" if several else "a number like the first"
            )
        elif isinstance(each, tuple) and isinstance(values[0], tuple) and len(each) != len(values[0]):
            yield Problem(f"{key}[{index}]", count(len(each), "number"), f"{len(values[0])}, as in the first sample")


def _activation_problems(key: str, found: str, index: int, definition: Definition) -> Iterator[Problem]:
    is_last = index == len(definition.layers)
    known = [*ACTIVATIONS, SOFTMAX]
    if found not in known:
        yield Problem(key, shown(found), one_of(known, found))
    elif found == SOFTMAX and not is_last:
        yield Problem(key, shown(found), "another one: the softmax is for the last layer")


def _loss_problems(definition: Definition) -> Iterator[Problem]:
    loss = LOSSES.get(definition.loss)
    if loss is None:
        yield Problem("loss", shown(definition.loss), one_of(LOSSES, definition.loss))
        return
    last = definition.layers[-1].activation
    if loss.goes_with not in (None, last):
        found = f'"{definition.loss}" with the activation "{last}" in the last layer'
        yield Problem("loss", found, f'activation = "{loss.goes_with}" there')
    if loss.target_range is None:
        return
    low, high = loss.target_range
    for index, targets in enumerate(by_sample(definition.targets), 1):
        key = (
            f"targets[{index}]"
            if len(definition.targets) > 1 and isinstance(definition.targets[0], tuple)
            else "targets"
        )
        if not all(low <= target <= high for target in targets):
            yield Problem(key, f"{list(targets)}", f"numbers from {low:g} to {high:g}, for a {definition.loss}")
        elif loss.goes_with == SOFTMAX and abs(sum(targets) - 1) > _SUM_OF_SHARES:
            yield Problem(key, f"{sum(targets):g} in all", "1 in all: each target is the share of one class")


_SUM_OF_SHARES = 1e-6


def _culprit(value: object, kind: Any, message: str) -> tuple[str, object, str]:
    """Where inside a value msgspec found the mistake (`[2][1]`, counted from 1), what stands there, what it may be."""
    place = ""
    _, _, path = message.partition(" - at `$")
    for part in path.rstrip("`").strip("[]").split("][") if path else ():
        if part.isdigit() and isinstance(value, list | tuple):
            value, kind = value[int(part)], element(kind)
            place += f"[{int(part) + 1}]"
    return place, value, description(kind, value if place else None)


def plain(value: object) -> object:
    """A number or an array of NumPy's as Python has it; everything else stays as it is."""
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value
