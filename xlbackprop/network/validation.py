"""What the keys of a definition may be, and what is wrong with what was found there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from xlbackprop.errors import Problem, at_most, did_you_mean
from xlbackprop.network.activations import ACTIVATIONS
from xlbackprop.network.definition import (
    Comparison,
    Definition,
    Layer,
    LearningRate,
    Method,
    Name,
    Real,
    Reals,
    Samples,
    biases_of,
    rows_of,
)
from xlbackprop.network.initial_weights import METHODS
from xlbackprop.network.losses import LOSSES
from xlbackprop.network.optimisers import OPTIMISERS, WEIGHT_DECAY, Setting
from xlbackprop.network.schedules import SCHEDULES
from xlbackprop.network.softmax import SOFTMAX

MOST_COMPARED = 6
"""More trainings than this are not seen at once, nor told apart on a chart."""

MOST_UNITS = 10_000
"""Of a layer whose weights are drawn."""

MOST_WEIGHTS = 250_000
"""Of a network; with a name for each and each derivative, more of them take gigabytes."""


class DrawnLayer(Struct, frozen=True, kw_only=True):
    """A layer as a definition has it whose weights are to be drawn."""

    units: Annotated[int, Meta(ge=1, le=MOST_UNITS, description="a whole number, how many units the layer has")]
    initial: Name = "xavier"
    bias: Annotated[Real | Reals, Meta(description="one number for the layer, or a list of one a unit")] | None = None
    activation: Name = "sigmoid"

    @property
    def biases(self) -> tuple[float, ...]:
        return biases_of(self.bias)


class Key(Struct, frozen=True):
    """A key that a definition may have."""

    expected: str
    """What it may be, in words."""
    default: object
    """What it is where it is left out; None where it has to be there, or where there is nothing in its place."""


def definition_keys() -> dict[str, Key]:
    """The keys of a definition."""
    return {field.name: _key(field) for field in msgspec.structs.fields(Definition)}


def layer_keys() -> dict[str, Key]:
    """The keys of a layer, whether its weights are given or drawn."""
    fields = (*msgspec.structs.fields(Layer), *msgspec.structs.fields(DrawnLayer))
    return {field.name: _key(field) for field in fields}


def read_struct(kind: type[Any], content: Mapping[str, object], prefix: str, problems: list[Problem]) -> Any:
    """Convert one table field by field, so that the first mistake does not hide the others."""
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    for key in content.keys() - fields.keys():
        problems.append(Problem(prefix + key, "an unknown key", f"a known one; {did_you_mean(key, fields)}"))
    before = len(problems)
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name not in content:
            if field.required:
                problems.append(Problem(prefix + name, "nothing", _description(field.type)))
        elif name == "layers" and _is_table_list(content[name]):
            tables: Any = content[name]
            values[name] = tuple(
                read_struct(DrawnLayer if "units" in table else Layer, table, f"{prefix}layers[{index}].", problems)
                for index, table in enumerate(tables, 1)
            )
        elif name == "optimiser":
            values[name] = _optimiser(content[name], prefix + name, problems)
        elif name == "schedule":
            values[name] = _method(content[name], prefix + name, SCHEDULE_SETTINGS, problems)
        elif name == "compare":
            values[name] = _comparisons(content[name], content.get("learning_rate"), problems)
        else:
            try:
                values[name] = msgspec.convert(content[name], field.type)
            except msgspec.ValidationError as error:
                place, found = _culprit(content[name], str(error))
                number = LearningRate if name == "learning_rates" else Real
                expected = _description(number if place else field.type)
                problems.append(Problem(prefix + name + place, found, expected))
    return None if len(problems) > before else kind(**values)


def _method(
    value: object, key: str, known: Mapping[str, tuple[Setting, ...]], problems: list[Problem]
) -> Method | None:
    """An optimiser or a schedule: its name alone, or a table of its name and its settings."""
    table: Mapping[str, object] = value if isinstance(value, Mapping) else {"name": value}
    name = table.get("name")
    if not isinstance(name, str) or name not in known:
        problems.append(Problem(key, shown(name), _one_of(name, known)))
        return None
    settings = {setting.key: setting for setting in known[name]}
    given = table.get("settings", table)  # as a workbook of ours keeps it, or as a teacher writes it
    given = {key: number for key, number in given.items() if key != "name"} if isinstance(given, Mapping) else {}
    values = {setting.key: setting.default for setting in settings.values()}
    for each, number in given.items():
        if each not in settings:
            expected = f"a setting of {name}; {did_you_mean(each, settings)}" if settings else f"none, {name} has none"
            problems.append(Problem(f"{key}.{each}", "an unknown key", expected))
            continue
        low, high = settings[each].least, settings[each].most
        if isinstance(number, bool) or not isinstance(number, int | float) or not low <= number <= high:
            problems.append(Problem(f"{key}.{each}", shown(number), f"a number from {low:g} to {high:,.7g}"))
        else:
            values[each] = float(number)
    return Method(name=name, settings=values)


def _optimiser(value: object, key: str, problems: list[Problem]) -> Method | None:
    return _method(value, key, OPTIMISER_SETTINGS, problems)


def _comparisons(value: object, learning_rate: object, problems: list[Problem]) -> tuple[Comparison, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(each, Mapping) for each in value):
        problems.append(Problem("compare", shown(value), _COMPARISONS))
        return ()
    if len(value) > MOST_COMPARED:
        problems.append(Problem("compare", _count(len(value), "section"), f"{MOST_COMPARED} at most"))
    found = []
    for index, table in enumerate(value, 1):
        key = f"compare[{index}]"
        rest = {name: each for name, each in table.items() if name != "learning_rate"}
        if "optimiser" in rest:
            for other in rest:
                if other != "optimiser":
                    expected = f"a known one; {did_you_mean(other, ('optimiser', 'learning_rate'))}"
                    problems.append(Problem(f"{key}.{other}", "an unknown key", expected))
            optimiser = _optimiser(rest["optimiser"], f"{key}.optimiser", problems)
        else:
            optimiser = _optimiser(rest, key, problems)
        try:
            rate = msgspec.convert(table.get("learning_rate", learning_rate), LearningRate)
        except msgspec.ValidationError:
            if "learning_rate" in table:  # else the mistake is the definition's own
                rate = table["learning_rate"]
                problems.append(Problem(f"{key}.learning_rate", shown(rate), _description(LearningRate)))
            continue
        if optimiser is not None:
            found.append(Comparison(optimiser=optimiser, learning_rate=rate))
    return tuple(found)


OPTIMISER_SETTINGS = {
    name: (*optimiser.settings, msgspec.structs.replace(WEIGHT_DECAY, default=optimiser.decay))
    for name, optimiser in OPTIMISERS.items()
}
_COMPARISONS = "[[compare]] sections, one an optimiser"
SCHEDULE_SETTINGS = {name: schedule.settings for name, schedule in SCHEDULES.items()}


def _one_of(found: object, known: Iterable[str]) -> str:
    listed = ", ".join(f'"{name}"' for name in known)
    return f"one of {listed}; {did_you_mean(found, known)}" if isinstance(found, str) else f"one of {listed}"


def shape_problems(definition: Definition) -> Iterator[Problem]:
    """What the parts of a definition say about one another."""
    sources = len(definition.layers)
    uneven = list(_uneven("inputs", definition.inputs)) + list(_uneven("targets", definition.targets))
    yield from uneven
    if uneven:
        return
    inputs, targets = rows_of(definition.inputs), rows_of(definition.targets)
    if len(inputs) != len(targets):
        yield Problem("targets", _count(len(targets), "sample"), f"{len(inputs)}, as many as in inputs")
    sources, origin = len(inputs[0]), "input"
    for index, layer in enumerate(definition.layers, 1):
        if isinstance(layer, DrawnLayer):
            if layer.initial not in METHODS:
                yield Problem(f"layers[{index}].initial", shown(layer.initial), _one_of(layer.initial, METHODS))
        else:
            for unit, row in enumerate(layer.weights, 1):
                if len(row) != sources:
                    expected = f"{sources}, one for every {origin}"
                    yield Problem(f"layers[{index}].weights[{unit}]", _count(len(row), "weight"), expected)
        if isinstance(layer.bias, tuple) and len(layer.bias) != layer.units:
            found = _count(len(layer.bias), "bias", "biases")
            yield Problem(f"layers[{index}].bias", found, f"{layer.units}, one for every unit of the layer")
        yield from _activation_problems(f"layers[{index}].activation", layer.activation, index, definition)
        sources, origin = layer.units, f"unit of layer {index}"
    if len(targets[0]) != sources:
        found = _count(len(targets[0]), "target")
        yield Problem("targets", found, f"{sources}, one for every unit of the last layer")
    sizes = (len(inputs[0]), *(layer.units for layer in definition.layers))
    weights = sum(sources * units for sources, units in pairwise(sizes))
    if weights > MOST_WEIGHTS:
        yield Problem("layers", f"{weights:,} weights", at_most(weights, MOST_WEIGHTS, "the weights of a network"))
    yield from _loss_problems(definition)


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
            yield Problem(f"{key}[{index}]", _count(len(each), "number"), f"{len(values[0])}, as in the first sample")


def _activation_problems(key: str, found: str, index: int, definition: Definition) -> Iterator[Problem]:
    is_last = index == len(definition.layers)
    known = [*ACTIVATIONS, SOFTMAX]
    if found not in known:
        yield Problem(key, shown(found), _one_of(found, known))
    elif found == SOFTMAX and not is_last:
        yield Problem(key, shown(found), "another one: the softmax is for the last layer")


def _loss_problems(definition: Definition) -> Iterator[Problem]:
    loss = LOSSES.get(definition.loss)
    if loss is None:
        yield Problem("loss", shown(definition.loss), _one_of(definition.loss, LOSSES))
        return
    last = definition.layers[-1].activation
    if loss.goes_with not in (None, last):
        found = f'"{definition.loss}" with the activation "{last}" in the last layer'
        yield Problem("loss", found, f'activation = "{loss.goes_with}" there')
    if loss.goes_with is None:
        return
    for index, targets in enumerate(rows_of(definition.targets), 1):
        key = (
            f"targets[{index}]"
            if len(definition.targets) > 1 and isinstance(definition.targets[0], tuple)
            else "targets"
        )
        if not all(0 <= target <= 1 for target in targets):
            yield Problem(key, f"{list(targets)}", "numbers from 0 to 1, for a cross-entropy")
        elif loss.goes_with == SOFTMAX and abs(sum(targets) - 1) > _SUM_OF_SHARES:
            yield Problem(key, f"{sum(targets):g} in all", "1 in all: each target is the share of one class")


_SUM_OF_SHARES = 1e-6

_NAMES: Mapping[str, Iterable[str]] = {
    "loss": LOSSES,
    "optimiser": OPTIMISERS,
    "schedule": SCHEDULES,
    "activation": (*ACTIVATIONS, SOFTMAX),
    "initial": METHODS,
}
"""What the keys may be that are names."""


def _key(field: msgspec.structs.FieldInfo) -> Key:
    if field.name in _NAMES:
        expected = _one_of(None, _NAMES[field.name])
    else:
        expected = _COMPARISONS if field.name == "compare" else _description(field.type)
    return Key(expected, None if field.required else field.default)


def _description(annotation: Any) -> str:
    """The words for what a field expects: the description that stands in its own annotation."""
    for candidate in (annotation, *getattr(annotation, "__args__", ())):
        for meta in getattr(candidate, "__metadata__", ()):
            if isinstance(meta, Meta) and meta.description:
                return meta.description
    raise TypeError(f"no description in {annotation!r}")


def _culprit(value: object, message: str) -> tuple[str, str]:
    """Where inside a value msgspec found the mistake (`[2][1]`, counted from 1) and what stands there."""
    place = ""
    _, _, path = message.partition(" - at `$")
    for part in path.rstrip("`").strip("[]").split("][") if path else ():
        if part.isdigit() and isinstance(value, list | tuple):
            value = value[int(part)]
            place += f"[{int(part) + 1}]"
    return place, shown(value)


def shown(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str():
            visible = "".join(each if each.isprintable() else repr(each)[1:-1] for each in value)
            return f'the text "{visible}"' if len(value) <= 60 else f"a text of {len(value)} characters"
        case float() if math.isnan(value):
            return "nan (not a number)"
        case float() if math.isinf(value):
            return "an infinite number"
        case int() | float():
            return f"{value}"
        case list() | tuple():
            return "an empty list" if not value else f"a list of {len(value)}"
        case dict():
            return "a section"
        case _:
            return f"{value!s}"


def _is_table_list(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _count(number: int, thing: str, things: str = "") -> str:
    return f"1 {thing}" if number == 1 else f"{number} {things or thing + 's'}"
