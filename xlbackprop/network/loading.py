"""Definitions read from TOML: what a teacher wrote is checked, completed and understood, every mistake told at once."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from xlbackprop.ground.errors import DefinitionError, Problem, UserError, at_most, count, shown
from xlbackprop.ground.given_files import toml_of
from xlbackprop.network.csv_samples import CsvSamples, read_samples
from xlbackprop.network.definition import MOST_ITERATIONS, Definition, DrawnLayer, Layer, Shorthand, by_sample
from xlbackprop.network.initial_weights import draw
from xlbackprop.network.templates import locate
from xlbackprop.network.validation import conflict_of, plain, read_struct, read_value, shape_problems


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
    content = toml_of(path)
    given = {"iterations": iterations, "learning_rate": learning_rate}
    replaced = {key: plain(value) for key, value in given.items() if value is not None}
    if "iterations" in replaced:
        content.pop("epochs", None)
    samples = _samples(content, path)
    if samples is not None:
        del content["samples"]
        content |= {"inputs": samples.inputs, "targets": samples.targets}
    try:
        return parse(content | replaced, source=str(path))
    except DefinitionError as error:
        source = (
            f"the values given for {template}" if all(each.key in replaced for each in error.problems) else str(path)
        )
        raise DefinitionError(source, tuple(_placed(each, samples) for each in error.problems)) from None


def validated(definition: Definition) -> Definition:
    """A definition made or changed in Python, held to what holds for one from a file; NumPy's numbers are numbers.

    Raises:
        DefinitionError: with every mistake found.
        UserError: it is no definition.
    """
    if not isinstance(definition, Definition):
        raise UserError(f'definition: found {shown(definition)}, expected what load gives, such as load("classic")')
    try:
        content = msgspec.to_builtins(definition, enc_hook=_builtin)
    except TypeError as error:
        raise UserError(f"the definition: {error}; expected numbers and texts") from None
    return parse(content, source="the definition")


def _builtin(value: object) -> object:
    found = plain(value)
    if found is value:
        raise TypeError(f"found {shown(value)} in it")
    return found


def parse(content: Mapping[str, object], *, source: str) -> Definition:
    """Validate the content of a definition that was read from `source`.

    Raises:
        DefinitionError: with every mistake found, each with its key, what was found and what was expected.
    """
    problems: list[Problem] = []
    content = _with_epochs(content, problems)
    definition: Definition | None = read_struct(Definition, content, "", problems)
    if definition is not None:
        problems.extend(shape_problems(definition))
    if definition is not None and not problems:
        definition = _drawn(definition)
    if problems or definition is None:
        raise DefinitionError(source, tuple(problems))
    return definition


def _samples(content: Mapping[str, Any], path: Path) -> CsvSamples | None:
    """The samples of the file that a definition names; None where it names none."""
    if "samples" not in content:
        return None
    problems: list[Problem] = []
    if (conflict := conflict_of("samples", content)) is not None:
        problems.append(conflict)
    name = read_value(Shorthand, "samples", content["samples"], problems)
    if problems:
        raise DefinitionError(str(path), tuple(problems))
    layers = content.get("layers")
    last = layers[-1] if isinstance(layers, list) and layers and isinstance(layers[-1], dict) else {}
    outputs = last.get("units") or (len(last["weights"]) if isinstance(last.get("weights"), list) else None)
    return read_samples(path, name, outputs)


def _placed(problem: Problem, samples: CsvSamples | None) -> Problem:
    """A problem of samples from a file, told by the line in which they stand there."""
    found = re.fullmatch(r"(inputs|targets)(?:\[(\d+)\])?", problem.key)
    if samples is None or found is None:
        return problem
    line = samples.lines[int(found[2] or 1) - 1]
    return replace(problem, key=f"{samples.path}, line {line}, {found[1]}")


def _with_epochs(content: Mapping[str, Any], problems: list[Problem]) -> Mapping[str, Any]:
    """The content with its number of epochs told in iterations."""
    if "epochs" not in content:
        return content
    rest = {key: value for key, value in content.items() if key != "epochs"}
    if (conflict := conflict_of("epochs", content)) is not None:
        problems.append(conflict)
        return rest
    epochs = read_value(Shorthand, "epochs", content["epochs"], problems)
    inputs = content.get("inputs")
    several = isinstance(inputs, list | tuple) and inputs and isinstance(inputs[0], list | tuple)
    samples = len(inputs) if inputs is not None and several else 1
    if epochs is not None and epochs * samples > MOST_ITERATIONS:
        found = f"{epochs:,} epochs of {count(samples, 'sample')}, {epochs * samples:,} iterations"
        expected = at_most(epochs * samples, MOST_ITERATIONS, "the iterations of a training")
        problems.append(Problem("epochs", found, expected))
        epochs = None
    return rest | {"iterations": 1 if epochs is None else epochs * samples}


def _drawn(definition: Definition) -> Definition:
    """The definition with numbers for the weights that were to be drawn."""
    generator = random.Random(definition.seed)
    sources = len(by_sample(definition.inputs)[0])
    layers = []
    for layer in definition.layers:
        if isinstance(layer, DrawnLayer):
            weights = draw(layer.initial, sources, layer.units, generator)
            layers.append(Layer(weights=weights, bias=layer.bias, activation=layer.activation))
        else:
            layers.append(layer)
        sources = layer.units
    return replace(definition, layers=tuple(layers))
