"""Definitions read from TOML: what a teacher wrote is checked, completed and understood, every mistake told at once."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from xlbackprop.errors import DefinitionError, Problem, UserError, at_most
from xlbackprop.network.csv_samples import read_samples
from xlbackprop.network.definition import (
    MOST_ITERATIONS,
    Definition,
    Layer,
    rows_of,
)
from xlbackprop.network.initial_weights import draw
from xlbackprop.network.templates import locate
from xlbackprop.network.validation import DrawnLayer, read_struct, shape_problems, shown


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
        return parse(_with_samples(content, path) | replaced, source=str(path))
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
    content = _with_epochs(content, problems)
    definition: Definition | None = read_struct(Definition, content, "", problems)
    if definition is not None:
        problems.extend(shape_problems(definition))
    if definition is not None and not problems:
        definition = _drawn(definition)
    if problems or definition is None:
        raise DefinitionError(source, tuple(problems))
    return definition


def _with_samples(content: dict[str, Any], path: Path) -> dict[str, Any]:
    """The content with the samples of the file that it names."""
    if "samples" not in content:
        return content
    layers = content.get("layers")
    last = layers[-1] if isinstance(layers, list) and layers and isinstance(layers[-1], dict) else {}
    outputs = last.get("units") or (len(last["weights"]) if isinstance(last.get("weights"), list) else None)
    inputs, targets = read_samples(path, content["samples"], outputs)
    both = [key for key in ("inputs", "targets") if key in content]
    if both:
        raise DefinitionError(
            str(path), (Problem("samples", f"{both[0]} as well", "either samples or inputs and targets"),)
        )
    return {key: value for key, value in content.items() if key != "samples"} | {"inputs": inputs, "targets": targets}


def _with_epochs(content: Mapping[str, Any], problems: list[Problem]) -> Mapping[str, Any]:
    """The content with its number of epochs told in iterations; iterations, where they are given, are what counts."""
    if "epochs" not in content:
        return content
    rest = {key: value for key, value in content.items() if key != "epochs"}
    epochs, inputs = content["epochs"], content.get("inputs")
    if not isinstance(epochs, int) or isinstance(epochs, bool) or epochs < 1:
        problems.append(Problem("epochs", shown(epochs), "a whole number from 1 on"))
        return {"iterations": 1} | rest
    several = isinstance(inputs, list | tuple) and inputs and isinstance(inputs[0], list | tuple)
    samples = len(inputs) if inputs is not None and several else 1
    if epochs * samples > MOST_ITERATIONS and "iterations" not in rest:
        found = f"{epochs} epochs of {samples} samples, {epochs * samples:,} iterations"
        expected = at_most(epochs * samples, MOST_ITERATIONS, "the iterations of a training")
        problems.append(Problem("epochs", found, expected))
        return {"iterations": 1} | rest
    return {"iterations": epochs * samples} | rest


def _drawn(definition: Definition) -> Definition:
    """The definition with numbers for the weights that were to be drawn."""
    generator = random.Random(definition.seed)
    sources = len(rows_of(definition.inputs)[0])
    layers = []
    for layer in definition.layers:
        if isinstance(layer, DrawnLayer):
            weights = draw(layer.initial, sources, layer.units, generator)
            layers.append(Layer(weights=weights, bias=layer.bias, activation=layer.activation))
        else:
            layers.append(layer)
        sources = layer.units
    return msgspec.structs.replace(definition, layers=tuple(layers))
