"""The text of a definition to start from."""

from __future__ import annotations

import json
import random
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median_low

from msgspec import Struct

from xlbackprop.ground.errors import UserError, did_you_mean
from xlbackprop.ground.files import as_typed
from xlbackprop.network.activations import ACTIVATIONS
from xlbackprop.network.definition import GRADIENT_DESCENT, MOST_UNITS, Method
from xlbackprop.network.initial_weights import draw
from xlbackprop.network.keys import definition_keys, layer_keys
from xlbackprop.network.loading import parse
from xlbackprop.network.losses import LOSSES
from xlbackprop.network.names import layer_title
from xlbackprop.network.optimisers import OPTIMISERS, Hyperparameter
from xlbackprop.network.softmax import SOFTMAX
from xlbackprop.network.validation import OPTIMISER_SETTINGS, SCHEDULE_SETTINGS

MOST_SAMPLES = 1000
MOST_WRITTEN = 50
"""A network with more weights says how they are drawn, and not what they are."""

_ITERATIONS, _EPOCHS = 50, 25
_LINE = 110
"""Characters."""

_UNBROKEN = "\0"
"""Stands for a space at which no line may end."""

_HEADER = """\
# A definition for xlbackprop: a network, what it learns from, and how it is trained.
# Change what you like, save it, and run:  xlbackprop build {file}
#
# A line such as #note = "" is a setting that has its default: take its # away to change it, and put one before the
# line that it replaces, where there is one.
"""

_KEYS = definition_keys() | layer_keys()

_SETTINGS = {"optimiser": OPTIMISER_SETTINGS, "schedule": SCHEDULE_SETTINGS}
"""The keys whose names have settings of their own."""

_CAREFREE_RATE = 0.5
"""With bounded activations and plain gradient descent nothing runs away."""

_SHARES = (0.1, 0.2, 0.5, 0.8, 1, 2, 3, 5)


class _Wish(Struct, frozen=True):
    """What was asked for."""

    sizes: tuple[int, ...]
    """Units in every layer, the inputs first."""
    activations: tuple[str, ...]
    """Of every layer but the inputs."""
    loss: str
    samples: int
    optimiser: str
    seed: int

    @property
    def shape(self) -> str:
        sizes = list(map(str, self.sizes))
        return "-".join(sizes if len(sizes) <= 12 else [sizes[0], "…", sizes[-1]])

    @property
    def is_written_out(self) -> bool:
        """Whether the weights stand in the text as numbers."""
        return sum(sources * units for sources, units in pairwise(self.sizes)) <= MOST_WRITTEN

    @property
    def learning_rate(self) -> float:
        """One with which most networks of this kind learn at once."""
        if any(setting.key == "epsilon" for setting in OPTIMISERS[self.optimiser].settings):
            return 0.02  # each step is about as long as the rate, however small the gradient is
        bounded = all(name == SOFTMAX or ACTIVATIONS[name].bounded for name in self.activations)
        if bounded and not OPTIMISERS[self.optimiser].states:
            return _CAREFREE_RATE
        return 0.05 if bounded or self.sizes[0] <= 10 else 0.005

    @property
    def learning_rates(self) -> tuple[float, ...] | None:
        """Some around it, from too small ones to one that is too large; None for the default where none does harm."""
        if self.learning_rate == _CAREFREE_RATE:
            return None
        return tuple(float(f"{self.learning_rate * share:.3g}") for share in _SHARES)


def starter(
    file: str,
    *,
    layers: str = "2,2,2",
    activation: str | None = None,
    output: str | None = None,
    loss: str | None = None,
    samples: int = 1,
    optimiser: str | None = None,
    seed: int = 0,
) -> str:
    """The text of a definition that builds at once, with every key that it may have.

    Args:
        file: what the file is called, for the comments in it and for messages.
        layers: units of every layer, the inputs first, with commas between them.
        activation: of the hidden layers; where it is None, as for every name here, what a definition has by default.
        output: the activation of the last layer; None for the one that the loss goes with, if it needs one.
        samples: how many to make up.
        seed: what weights and samples are drawn by.

    Raises:
        UserError: the options make no definition; the message names the option.
    """
    loss = _known("--loss", loss or _default("loss"), LOSSES)
    goes_with = LOSSES[loss].goes_with
    hidden = _known("--activation", activation or _default("activation"), ACTIVATIONS)
    last = _known("--output", output or goes_with or _default("activation"), (*ACTIVATIONS, SOFTMAX))
    if goes_with not in (None, last):
        raise UserError(f'--output: found "{last}" with the loss "{loss}", expected "{goes_with}"')
    if not 1 <= samples <= MOST_SAMPLES:
        raise UserError(f"--samples: found {samples}, expected a whole number from 1 to {MOST_SAMPLES:,}")
    sizes = _sizes(layers)
    if last == SOFTMAX and sizes[-1] == 1:
        raise UserError(f'--layers: found "{layers}" with a {SOFTMAX}, expected two or more outputs to share 1')
    activations = (*(hidden for _ in sizes[1:-1]), last)
    optimiser = _known("--optimiser", optimiser or GRADIENT_DESCENT.name, OPTIMISERS)
    wish = _Wish(sizes, activations, loss, samples, optimiser, seed)
    _require_sense(wish, file)
    return _HEADER.format(file=as_typed(Path(file))) + "\n".join(_lines(wish)) + "\n"


def _default(key: str) -> str:
    return str(_KEYS[key].default)


def _sizes(layers: str) -> tuple[int, ...]:
    parts = [part.strip() for part in layers.split(",")]
    sizes = tuple(int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < 10)
    if len(sizes) < max(2, len(parts)) or not all(1 <= size <= MOST_UNITS for size in sizes):
        expected = f"two or more whole numbers from 1 to {MOST_UNITS:,}, the inputs first, such as 2,3,1"
        raise UserError(f'--layers: found "{layers}", expected {expected}')
    return sizes


def _known(option: str, asked: str, known: Iterable[str]) -> str:
    """The name that is meant, with spaces or hyphens and in capitals or not, as one likes."""
    names = {_simplified(name): name for name in known}
    if _simplified(asked) not in names:
        raise UserError(f'{option}: there is no "{asked}"; {did_you_mean(asked, names.values())}')
    return names[_simplified(asked)]


def _simplified(name: str) -> str:
    return name.lower().replace("-", " ").replace("_", " ").strip()


def _require_sense(wish: _Wish, file: str) -> None:
    """See to it that nothing is made up for a network that is too large by far."""
    layers = zip(wish.sizes[1:], wish.activations, strict=True)
    content = {
        "title": "One sample",
        "teaches": "Whether there is room.",
        "inputs": [0.0] * wish.sizes[0],
        "targets": [1.0] + [0.0] * (wish.sizes[-1] - 1),
        "learning_rate": wish.learning_rate,
        "iterations": 1,
        "layers": [{"units": units, "activation": activation} for units, activation in layers],
        "loss": wish.loss,
        "optimiser": wish.optimiser,
        "seed": wish.seed,
    }
    parse(content, source=file)


def _lines(wish: _Wish) -> Iterator[str]:
    values = dict(_values(wish))
    in_comments = {"samples", "iterations" if wish.samples > 1 else "epochs"}
    for key, about in definition_keys().items():
        if about.heading:
            yield from ("", f"# ----- {about.heading} -----")
        match key:
            case "layers":
                yield from _layers(wish)
            case "compare":
                yield from _comparison(wish)
            case _:
                yield from _entry(key, values.get(key), commented=key in in_comments)
                yield from _methods(key)


def _values(wish: _Wish) -> Iterator[tuple[str, object]]:
    """What is asked for or made up, by key; every other key has its default."""
    several = wish.samples > 1
    learnt = f"{wish.samples:,} samples" if several else "one sample"
    yield "title", f"A {wish.shape} network"
    yield "teaches", f"How a {wish.shape} network learns from {learnt}."
    inputs, targets = _samples(wish)
    yield "inputs", inputs if several else inputs[0]
    yield "targets", targets if several else targets[0]
    yield "samples", "samples.csv"
    yield "loss", wish.loss
    yield "learning_rate", wish.learning_rate
    yield "learning_rates", wish.learning_rates
    epochs = min(_EPOCHS, MOST_SAMPLES // wish.samples) if several else _ITERATIONS
    yield "iterations", epochs * wish.samples
    yield "epochs", epochs
    yield "optimiser", wish.optimiser
    yield "seed", wish.seed


def _comparison(wish: _Wish) -> Iterator[str]:
    yield from _explained("compare")
    yield "#[[compare]]"
    yield _setting("optimiser", next(name for name in OPTIMISERS if name != wish.optimiser), commented=True)
    yield _setting("learning_rate", wish.learning_rate, commented=True)


def _layers(wish: _Wish) -> Iterator[str]:
    generator, initial = random.Random(wish.seed), str(_KEYS["initial"].default)
    is_written_out, explained = wish.is_written_out, set[str]()

    def setting(key: str, value: object, *, commented: bool = False, one_a_line: bool = False) -> Iterator[str]:
        """A setting, and in the first layer what there is to say of it."""
        if key not in explained:
            explained.add(key)
            yield from _explained(key)
        yield _setting(key, value, commented=commented, one_a_line=one_a_line)

    for index, ((sources, units), activation) in enumerate(zip(pairwise(wish.sizes), wish.activations, strict=True)):
        yield from ("", f"[[layers]] # {layer_title(index, len(wish.activations))}")
        if is_written_out:
            yield from setting("weights", draw(initial, sources, units, generator), one_a_line=True)
        if index == 0 or not is_written_out:
            yield from setting("units", units, commented=is_written_out)
            yield from setting("initial", initial, commented=is_written_out)
        if index == 0:
            if not is_written_out:
                yield from _comment(f"Or weights, in place of both: {_KEYS['weights'].expected}.")
            yield from setting("bias", 0.1, commented=True)
        yield from setting("activation", activation)


def _entry(key: str, value: object = None, *, commented: bool = False) -> Iterator[str]:
    """A key of the definition with what there is to say of it; in a comment, and with its default, without a value."""
    yield from _explained(key)
    yield _setting(key, _KEYS[key].default if value is None else value, commented=commented or value is None)


def _methods(key: str) -> Iterator[str]:
    """Every optimiser or schedule with its settings, and what they are; nothing for another key."""
    known: Mapping[str, Sequence[Hyperparameter]] = _SETTINGS.get(key, {})
    if known:
        yield "# Each with its settings:"
    settings = {setting.key: setting for own in known.values() for setting in own}
    for each in settings.values():
        yield f"#   {each.key}, {each.symbol}: {each.sentence}, from {each.least:g} to {each.most:,.7g}"
    for name, own in known.items():
        if own:
            defaults = {setting.key: setting.default for setting in own}
            yield _setting(key, Method(name=name, settings=defaults), commented=True)


def _explained(key: str) -> Iterator[str]:
    yield ""
    yield from _comment(f"{_KEYS[key].purpose}: {_KEYS[key].expected}.")


def _comment(text: str) -> list[str]:
    """Lines of a comment, in which no name in quotation marks is broken."""
    kept = re.sub('"[^"]*"', lambda name: name[0].replace(" ", _UNBROKEN), text)
    lines = textwrap.wrap(kept, _LINE, initial_indent="# ", subsequent_indent="# ")
    return [line.replace(_UNBROKEN, " ") for line in lines]


def _setting(key: str, value: object, *, commented: bool = False, one_a_line: bool = False) -> str:
    line = f"{key} = {_toml(value)}"
    if isinstance(value, Sequence) and not isinstance(value, str) and (one_a_line or len(line) > _LINE):
        parts = [_toml(each) for each in value]
        if isinstance(value[0], Sequence):
            lines = [f"  {part}," for part in parts]
        else:
            lines = textwrap.wrap(
                " ".join(f"{part}," for part in parts), _LINE, initial_indent="  ", subsequent_indent="  "
            )
        line = "\n".join([f"{key} = [", *lines, "]"])
    return f"#{line}" if commented else line


def _toml(value: object) -> str:
    match value:
        case Method(name=name, settings=settings) if settings:
            listed = {"name": name} | settings
            return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in listed.items()) + " }"
        case list() | tuple():
            return f"[{', '.join(map(_toml, value))}]"
        case Method(name=name):
            return _toml(name)
        case str() | bool():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return f"{value}"


def _samples(wish: _Wish) -> tuple[list[list[float]], list[list[float]]]:
    """Inputs and targets that go with one another, made up so that the loss suits them and they can be learned."""
    generator = random.Random(f"samples {wish.seed}")
    inputs, outputs, samples = wish.sizes[0], wish.sizes[-1], range(wish.samples)

    def drawn(count: int) -> list[float]:
        return [generator.random() for _ in range(count)]

    if wish.activations[-1] == SOFTMAX:
        centres = [drawn(inputs) for _ in range(outputs)]
        classes = [sample % outputs for sample in samples]
        near = [
            [
                0.2 + 0.6 * centre + 0.2 * (chance - 0.5)
                for centre, chance in zip(centres[each], drawn(inputs), strict=True)
            ]
            for each in classes
        ]
        return _rounded(near), [[float(output == each) for output in range(outputs)] for each in classes]
    rows = _rounded([0.05 + 0.9 * chance for chance in drawn(inputs)] for _ in samples)
    shares = [drawn(inputs) for _ in range(outputs)]
    means = [[sum(map(float.__mul__, share, row)) / sum(share) for share in shares] for row in rows]
    if LOSSES[wish.loss].goes_with is None:
        return rows, _rounded([0.1 + 0.8 * mean for mean in row] for row in means)
    middles = [median_low(column) for column in zip(*means, strict=True)]
    yes = [
        [(mean <= middle) != (output % 2) for output, (mean, middle) in enumerate(zip(row, middles, strict=True))]
        for row in means
    ]
    return rows, [[float(each) for each in row] for row in yes]


def _rounded(rows: Iterable[list[float]]) -> list[list[float]]:
    return [[round(value, 2) for value in row] for row in rows]
