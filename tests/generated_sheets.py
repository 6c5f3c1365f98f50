"""Generated training sheets: any small network, written into any layout, under any labels, right or with one slip."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import openpyxl
from hypothesis import strategies as st
from openpyxl.utils import get_column_letter

ACTIVATIONS: Mapping[str, tuple[str, str]] = {
    "sigmoid": ("1/(1+EXP(-[z]))", "[a]*(1-[a])"),
    "tanh": ("TANH([z])", "(1-[a]^2)"),
    "linear": ("[z]", "1"),
    "leaky ReLU": ("IF([z]>0,[z],0.01*[z])", "IF([z]>0,1,0.01)"),
    "softplus": ("LN(1+EXP([z]))", "1/(1+EXP(-[z]))"),
}
"""Of a unit with weighted sum z and activation a: its formula, and its derivative."""
LOSSES: Mapping[str, tuple[str, str]] = {
    "half a square": ("0.5*([t]-[a])^2", "([a]-[t])"),
    "a square": ("([t]-[a])^2", "2*([a]-[t])"),
    "a power": ("POWER([a]-[t],2)/2", "-([t]-[a])"),
}
"""Of an output a with target t: the loss, and its derivative by a."""
RULES: Mapping[str, tuple[str, str, str]] = {
    "plain": ("[w-]-{eta}*[g-]", "", ""),
    "momentum from rest": ("[w-]-[v]", "0.9*[v-]+{eta}*[g-]", "0"),
    "momentum from the first step": ("[w-]-[v-]", "0.9*[v-]+{eta}*[g]", "={eta}*[g]"),
    "momentum as a mean": ("[w-]-{eta}*[v]", "0.8*[v-]+0.2*[g-]", "0"),
    "weight decay": ("[w-]-{eta}*([g-]+0.01*[w-])", "", ""),
}
"""The update of a weight w with gradient g and velocity v, the rule of the velocity, and its first value."""
LAYOUTS = ("rows", "columns", "sheets", "blocks below", "blocks beside")
TRANSLATED = {
    "w": "peso ",
    "b": "vies ",
    "x": "entrada ",
    "t": "alvo ",
    "z": "soma ",
    "a": "saída ",
    "E": "erro ",
    "g": "grad ",
    "d": "delta ",
    "v": "velocidade ",
}

Place = tuple[str, int, int]


@dataclass(frozen=True)
class Network:
    """A network, and how it is written down."""

    sizes: tuple[int, ...]
    activations: tuple[str, ...]
    loss: str
    rule: str
    has_biases: bool
    has_deltas: bool
    layout: str
    labels: str
    steps: int
    several_samples: bool
    seed: int


@dataclass
class Training:
    """The formulas of one step by quantity: [w1] is one of the same step, [w1-] one of the step before."""

    given: list[str] = field(default_factory=list)
    parameters: dict[str, str] = field(default_factory=dict)
    """Each with its gradient."""
    updates: dict[str, str] = field(default_factory=dict)
    """Of the parameters, and of their velocities."""
    starts: dict[str, str] = field(default_factory=dict)
    """Of the velocities."""
    rules: dict[str, str] = field(default_factory=dict)
    forward: list[str] = field(default_factory=list)
    backward: list[str] = field(default_factory=list)


@st.composite
def networks(
    draw: st.DrawFn,
    activations: tuple[str, ...] = tuple(sorted(ACTIVATIONS)),
    labels: tuple[str, ...] = ("translated", "missing", "named", "shuffled", "misspelt"),
    rules: tuple[str, ...] = tuple(RULES),
) -> Network:
    """Any of them, with these activations; labels that check may understand stand over rows and columns alone."""
    hidden = draw(st.lists(st.integers(1, 2), max_size=1))
    sizes = (draw(st.integers(1, 3)), *hidden, draw(st.integers(1, 2)))
    layout = draw(st.sampled_from(LAYOUTS))
    in_lines = layout in {"rows", "columns"}
    return Network(
        sizes,
        tuple(draw(st.sampled_from(activations)) for _ in sizes[1:]),
        draw(st.sampled_from(sorted(LOSSES))),
        draw(st.sampled_from(rules)),
        draw(st.booleans()),
        draw(st.booleans()),
        layout,
        draw(st.sampled_from(labels if in_lines else labels[:2])),
        draw(st.integers(3, 5)),
        draw(st.booleans()),
        draw(st.integers(0, 1000)),
    )


def training_of(network: Network) -> Training:
    """Its definition, with the chain rule written out."""
    found = Training()
    sizes = network.sizes
    found.given = [f"x{k}" for k in range(1, sizes[0] + 1)] + [f"t{k}" for k in range(1, sizes[-1] + 1)]
    before = [f"x{k}" for k in range(1, sizes[0] + 1)]
    weight, layers = 0, []
    for layer, size in enumerate(sizes[1:], 1):
        units = []
        for unit in range(1, size + 1):
            names = [f"w{weight + index}" for index in range(1, len(before) + 1)]
            weight += len(before)
            bias = [f"b{layer}{unit}"] if network.has_biases else []
            total = "+".join([*(f"[{w}]*[{a}]" for w, a in zip(names, before, strict=True)), *(f"[{b}]" for b in bias)])
            units.append((f"z{layer}{unit}", f"a{layer}{unit}", names, bias))
            found.rules[f"z{layer}{unit}"] = total
            formula, _ = ACTIVATIONS[network.activations[layer - 1]]
            found.rules[f"a{layer}{unit}"] = formula.replace("[z]", f"[z{layer}{unit}]")
        layers.append((before, units))
        before = [a for _, a, _, _ in units]
    losses = []
    for unit, output in enumerate(before, 1):
        formula, _ = LOSSES[network.loss]
        found.rules[f"E{unit}"] = formula.replace("[a]", f"[{output}]").replace("[t]", f"[t{unit}]")
        losses.append(f"[E{unit}]")
    found.rules["E"] = "+".join(losses)
    found.forward = list(found.rules)
    following: list[tuple[str, list[str]]] = []
    for layer in range(len(layers), 0, -1):
        sources, units = layers[layer - 1]
        _, slope = ACTIVATIONS[network.activations[layer - 1]]
        errors = []
        for index, (z, a, names, bias) in enumerate(units):
            if layer == len(layers):
                _, outer = LOSSES[network.loss]
                outer = outer.replace("[a]", f"[{a}]").replace("[t]", f"[t{index + 1}]")
            else:
                outer = "(" + "+".join(f"{error}*[{w[index]}]" for error, w in following) + ")"
            inner = slope.replace("[a]", f"[{a}]").replace("[z]", f"[{z}]")
            error = outer if inner == "1" else f"{outer}*{inner}" if "/" not in inner else f"{outer}*({inner})"
            if network.has_deltas:
                found.rules[f"d{layer}{index + 1}"] = error
                error = f"[d{layer}{index + 1}]"
            elif "+" in outer or outer.startswith("-"):
                error = f"({error})"
            errors.append((error, names))
            for name, source in zip(names, sources, strict=True):
                found.rules[f"g{name}"] = f"{error}*[{source}]"
                found.parameters[name] = f"g{name}"
            for name in bias:
                found.rules[f"g{name}"] = error
                found.parameters[name] = f"g{name}"
        following = errors
    found.backward = [name for name in found.rules if name not in found.forward]
    for name, gradient in found.parameters.items():
        is_kept = network.rule == "weight decay" and name.startswith("b")  # biases are left as they are
        update, velocity, start = RULES["plain" if is_kept else network.rule]
        for mark, quantity in {"w": name, "g": gradient, "v": f"v{name}"}.items():
            update, velocity, start = (
                rule.replace(f"[{mark}]", f"[{quantity}]").replace(f"[{mark}-]", f"[{quantity}-]")
                for rule in (update, velocity, start)
            )
        found.updates[name] = update
        if velocity:
            found.updates[f"v{name}"], found.starts[f"v{name}"] = velocity, start
    return found


def _places(network: Network, order: list[str]) -> dict[tuple[str, int], Place]:
    found: dict[tuple[str, int], Place] = {}
    for step in range(network.steps):
        for index, name in enumerate(order):
            match network.layout:
                case "rows":
                    place = ("Sheet", 6 + step, 2 + index)
                case "columns":
                    place = ("Sheet", 6 + index, 2 + step)
                case "sheets":
                    place = (f"step {step + 1}", 6 + index, 3)
                case "blocks below":
                    place = ("Sheet", 6 + step * (len(order) + 3) + index, 3)
                case _:
                    place = ("Sheet", 6 + index, 3 + 4 * step)
            found[name, step] = place
    return found


def _label_places(network: Network, place: Place, step: int) -> tuple[int, int] | None:
    _, row, column = place
    if network.layout == "rows":
        return (5, column) if step == 0 else None
    if network.layout == "columns":
        return (row, 1) if step == 0 else None
    return row, column - 1


@dataclass(frozen=True)
class Slip:
    """A wrong formula of a quantity, in all steps or in one."""

    name: str
    rule: str
    step: int | None


def slips(network: Network) -> st.SearchStrategy[Slip]:
    """Wrong backward formulas and updates."""
    training = training_of(network)
    options = []
    updates = training.updates
    for name, rule in {**{name: training.rules[name] for name in training.backward}, **updates}.items():
        names = re.findall(r"\[([a-zA-Z]+\d*)-?\]", rule)
        for used in dict.fromkeys(names):
            family = re.match(r"[a-zA-Z]+", used)
            assert family is not None
            for other in (*training.given, *updates, *training.rules):
                if other != used and re.fullmatch(rf"{family[0]}\d*", other):
                    wrong = re.sub(rf"\[{used}(-?)\]", rf"[{other}\1]", rule)
                    options.append((name, wrong))
        if name in training.parameters and "]-{eta}" in rule:
            options.append((name, rule.replace("]-{eta}", "]+{eta}")))
        elif rule.count("*") > 1 and not rule.startswith("("):
            options.append((name, rule.rpartition("*")[0]))
    return st.builds(
        lambda option, step: Slip(option[0], option[1], step),
        st.sampled_from(options),
        st.one_of(st.none(), st.integers(1, network.steps - 1)),
    )


def write(path: Path, network: Network, slip: Slip | None = None) -> list[tuple[str, str]]:
    """Write a training; the cells of the slip, by sheet and address."""
    training = training_of(network)
    chance = random.Random(network.seed)
    order = [*training.given, *training.parameters, *training.rules, *training.starts]
    if network.labels == "shuffled":
        chance.shuffle(order)
    places = _places(network, order)
    eta: Place = ("step 1" if network.layout == "sheets" else "Sheet", 2, 2)
    names = {name: name for name in order}
    if network.labels == "translated":
        names = {name: TRANSLATED[name[0]] + name[1:] for name in order}
    if network.labels == "misspelt":
        names[chance.choice(order)] = chance.choice(order)
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    sheets = {sheet: workbook.create_sheet(sheet) for sheet in dict.fromkeys(place[0] for place in places.values())}

    def address(place: Place, here: str, fixed: str = "") -> str:
        sheet, row, column = place
        prefix = "" if sheet == here else f"'{sheet}'!"
        return f"{prefix}{fixed}{get_column_letter(column)}{fixed}{row}"

    wrong = []
    samples = [{name: round(chance.uniform(0.1, 0.9), 2) for name in training.given} for _ in range(network.steps)]
    for (name, step), place in places.items():
        sheet, row, column = place
        if network.labels != "missing" and (at := _label_places(network, place, step)) is not None:
            sheets[sheet].cell(*at).value = names[name]
        content: str | float
        if name in training.given:
            content = samples[step if network.several_samples else 0][name]
        elif name in training.parameters and step == 0:
            content = round(chance.uniform(0.1, 0.9) * chance.choice([-1, 1]), 2)
        elif step == 0 and not training.starts.get(name, "=").startswith("="):
            content = float(training.starts[name])
        else:
            rule = training.rules.get(name) or training.updates[name]
            if step == 0 and name in training.starts:
                rule = training.starts[name].removeprefix("=")
            elif slip is not None and slip.name == name and slip.step in (None, step):
                rule = slip.rule
                wrong.append((sheet, address(place, sheet)))
            filled = rule.replace("{eta}", address(eta, sheet, "$"))
            for used, back in re.findall(r"\[(\w+)(-?)\]", rule):
                filled = filled.replace(f"[{used}{back}]", address(places[used, step - (back == "-")], sheet))
            content = f"={filled}"
        sheets[sheet].cell(row, column).value = content
    sheets[eta[0]].cell(*eta[1:]).value = 0.5
    sheets[eta[0]].cell(eta[1], eta[2] - 1).value = "η"
    workbook.save(path)
    return wrong
