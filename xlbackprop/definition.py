"""The definition of a walkthrough: what a teacher writes down in TOML, checked before anything is computed."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from xlbackprop.errors import DefinitionError, Problem, UserError, did_you_mean
from xlbackprop.names import Names
from xlbackprop.templates import locate

LARGEST_NUMBER = 1e6
"""Numbers beyond this teach nothing and bring the spreadsheet's arithmetic near its limits."""

MOST_ITERATIONS = 1_048_576 - 32
"""The rows of a sheet under the table's header."""

Real = Annotated[
    float, Meta(ge=-LARGEST_NUMBER, le=LARGEST_NUMBER, description="a number from −1,000,000 to 1,000,000")
]
Reals = Annotated[tuple[Real, ...], Meta(min_length=1, description="a list of numbers, such as [0.05, 0.10]")]
LearningRate = Annotated[float, Meta(ge=0, le=LARGEST_NUMBER, description="a number from 0 to 1,000,000")]
Iterations = Annotated[int, Meta(ge=1, le=MOST_ITERATIONS, description="a whole number from 1 to 1,048,544")]
Line = Annotated[str, Meta(min_length=1, max_length=200, description="one line of text, 200 characters at most")]


class Layer(Struct, frozen=True, kw_only=True):
    """One layer of units, each with a weight for every unit of the layer before."""

    weights: Annotated[
        tuple[Reals, ...], Meta(min_length=1, description="a list of rows, one a unit, such as [[0.15, 0.20], …]")
    ]
    bias: Annotated[Real | Reals, Meta(description="one number for the layer, or a list of one a unit")] | None = None
    activation: Annotated[Literal["sigmoid"], Meta(description='"sigmoid"')] = "sigmoid"

    @property
    def biases(self) -> tuple[float, ...]:
        """The layer's biases: none, one for all its units, or one a unit."""
        if self.bias is None:
            return ()
        return self.bias if isinstance(self.bias, tuple) else (self.bias,)


class Definition(Struct, frozen=True, kw_only=True, dict=True):
    """One walkthrough: a small network, one sample, and how it is trained."""

    title: Line
    teaches: Line
    inputs: Reals
    targets: Reals
    learning_rate: LearningRate
    iterations: Iterations
    layers: Annotated[tuple[Layer, ...], Meta(min_length=1, description="at least one [[layers]] section")]
    note: Annotated[str, Meta(max_length=2000, description="text, 2,000 characters at most")] = ""
    notation: Annotated[Literal["classic", "mazur", "z-a"], Meta(description='"classic", "mazur" or "z-a"')] = "classic"
    train_biases: Annotated[bool, Meta(description="true or false")] = False

    @cached_property
    def names(self) -> Names:
        """What the quantities of this walkthrough are called."""
        sizes = (len(self.inputs), *(len(layer.weights) for layer in self.layers))
        return Names.of(sizes, tuple(len(layer.biases) for layer in self.layers), self.notation)


def load(
    template: str | Path = "classic", *, iterations: int | None = None, learning_rate: float | None = None
) -> Definition:
    """Read a walkthrough definition.

    Args:
        template: the name of a ready-made template, or the path of a TOML file.
        iterations: replaces the definition's own number of iterations (rows of the table).
        learning_rate: replaces the definition's own learning rate η.

    Raises:
        UserError: there is no such template or file, or it is not TOML.
        DefinitionError: the definition has mistakes; all of them are named together.
    """
    path = locate(template)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: this is not a text file in UTF-8, so it cannot be a definition") from error
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path}: this is not valid TOML: {error}") from error
    replaced = {"iterations": iterations, "learning_rate": learning_rate}
    replaced = {key: value for key, value in replaced.items() if value is not None}
    try:
        return parse(content | replaced, source=str(path))
    except DefinitionError as error:
        if all(problem.key in replaced for problem in error.problems):
            raise DefinitionError(f"the values given for {template}", error.problems) from None
        raise


def parse(content: Mapping[str, object], *, source: str) -> Definition:
    """Validate the content of a definition that was read from `source`.

    Raises:
        DefinitionError: with every mistake found, each with its key, what was found and what was expected.
    """
    problems: list[Problem] = []
    definition: Definition | None = _struct(Definition, content, "", problems)
    if definition is not None:
        problems.extend(_shape_problems(definition))
    if problems or definition is None:
        raise DefinitionError(source, tuple(problems))
    return definition


def _struct(kind: type[Any], content: Mapping[str, object], prefix: str, problems: list[Problem]) -> Any:
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
                _struct(Layer, table, f"{prefix}layers[{index}].", problems) for index, table in enumerate(tables, 1)
            )
        else:
            try:
                values[name] = msgspec.convert(content[name], field.type)
            except msgspec.ValidationError as error:
                place, found = _culprit(content[name], str(error))
                expected = _description(Real if place else field.type)
                problems.append(Problem(prefix + name + place, found, expected))
    return None if len(problems) > before else kind(**values)


def _shape_problems(definition: Definition) -> Iterator[Problem]:
    """What the parts of a definition say about one another's sizes."""
    sources, origin = len(definition.inputs), "input"
    for index, layer in enumerate(definition.layers, 1):
        for unit, row in enumerate(layer.weights, 1):
            if len(row) != sources:
                expected = f"{sources}, one for every {origin}"
                yield Problem(f"layers[{index}].weights[{unit}]", _count(len(row), "weight"), expected)
        units = len(layer.weights)
        if isinstance(layer.bias, tuple) and len(layer.bias) != units:
            found = _count(len(layer.bias), "bias", "biases")
            yield Problem(f"layers[{index}].bias", found, f"{units}, one for every unit of the layer")
        sources, origin = units, f"unit of layer {index}"
    if len(definition.targets) != sources:
        found = _count(len(definition.targets), "target")
        yield Problem("targets", found, f"{sources}, one for every unit of the last layer")


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
    return place, _shown(value)


def _shown(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'the text "{value}"' if len(value) <= 60 else f"a text of {len(value)} characters"
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
