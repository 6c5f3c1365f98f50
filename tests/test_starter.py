"""The definition to start from: it is what was asked for, says everything that it may say, and builds at once."""

from __future__ import annotations

import re
import tomllib
from itertools import pairwise
from pathlib import Path
from time import process_time
from typing import Any

import msgspec
import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.test_cli import run
from xlbackprop import Definition, UserError, load, train
from xlbackprop.network.activations import ACTIVATIONS
from xlbackprop.network.definition import DrawnLayer, Layer, Shorthand
from xlbackprop.network.initial_weights import METHODS
from xlbackprop.network.keys import Key, definition_keys, layer_keys
from xlbackprop.network.loading import parse
from xlbackprop.network.losses import LOSSES
from xlbackprop.network.optimisers import OPTIMISERS
from xlbackprop.network.schedules import SCHEDULES
from xlbackprop.network.softmax import SOFTMAX
from xlbackprop.network.starter import MOST_WRITTEN, starter

SMALL, LARGE = {"layers": "2,3,2"}, {"layers": "8,7,2"}
KEYS = definition_keys() | layer_keys()
NAMES = (LOSSES, ACTIVATIONS, OPTIMISERS, SCHEDULES, METHODS, (SOFTMAX,))


@st.composite
def options(draw: st.DrawFn) -> dict[str, Any]:
    """Everything that can be asked for."""
    loss = draw(st.sampled_from(sorted(LOSSES)))
    output = LOSSES[loss].goes_with or draw(st.sampled_from([*sorted(ACTIVATIONS), SOFTMAX]))
    sizes = draw(st.lists(st.integers(1, 9), min_size=2, max_size=5))
    sizes[-1] += output == SOFTMAX
    return {
        "layers": ",".join(map(str, sizes)),
        "activation": draw(st.sampled_from(sorted(ACTIVATIONS))),
        "output": output,
        "loss": loss,
        "samples": draw(st.integers(1, 12)),
        "optimiser": draw(st.sampled_from(sorted(OPTIMISERS))),
        "seed": draw(st.integers(0, 2**32 - 1)),
    }


def started(**asked: Any) -> Definition:
    return parse(tomllib.loads(starter("mine.toml", **asked)), source="mine.toml")


def sizes(asked: dict[str, Any]) -> list[int]:
    return [int(part) for part in asked["layers"].split(",")]


@settings(max_examples=60)
@given(options())
def test_it_is_what_was_asked_for(asked: dict[str, Any]) -> None:
    definition = started(**asked)
    assert list(definition.names.sizes) == sizes(asked)
    *hidden, last = (layer.activation for layer in definition.layers)
    assert set(hidden) <= {asked["activation"]}
    assert (last, definition.loss, definition.optimiser.name) == (asked["output"], asked["loss"], asked["optimiser"])
    assert (len(definition.samples), definition.seed) == (asked["samples"], asked["seed"])
    assert definition.iterations % asked["samples"] == 0


def test_it_is_the_shape_of_the_class_network_by_default() -> None:
    definition, usual = started(), load("classic")
    assert definition.names == usual.names
    assert (definition.loss, definition.optimiser) == (usual.loss, usual.optimiser)
    assert [layer.activation for layer in definition.layers] == [layer.activation for layer in usual.layers]


@settings(max_examples=30)
@given(options())
def test_weights_are_written_out_where_they_are_few(asked: dict[str, Any]) -> None:
    layers = tomllib.loads(starter("mine.toml", **asked))["layers"]
    few = sum(sources * units for sources, units in pairwise(sizes(asked))) <= MOST_WRITTEN
    assert all(("weights" in layer) == few and ("units" in layer) == (not few) for layer in layers)


def test_weights_that_are_written_out_are_those_that_the_seed_draws() -> None:
    content = tomllib.loads(starter("mine.toml", layers="3,4,2", seed=7))
    drawn = [{"units": len(layer["weights"])} for layer in content["layers"]]
    assert parse(content, source="").layers == parse(content | {"layers": drawn}, source="").layers
    assert started(layers="3,4,2", seed=7).layers != started(layers="3,4,2", seed=8).layers


@settings(max_examples=20)
@given(options())
def test_every_key_and_every_name_is_there(asked: dict[str, Any]) -> None:
    text = starter("mine.toml", **asked)
    keys = {*definition_keys(), *layer_keys()} - {"layers", "compare"}
    found = set(re.findall(r"^#?(\w+) = ", text, re.MULTILINE))
    assert keys - found <= {"weights"}
    assert "[[layers]]" in text
    assert "#[[compare]]" in text
    assert ": a list of rows, one a unit, such as" in text  # what weights may be
    for known in NAMES:
        assert all(f'"{name}"' in text for name in known)


def test_the_keys_are_those_of_the_schema() -> None:
    places: list[tuple[dict[str, Key], tuple[type[msgspec.Struct], ...]]] = [
        (definition_keys(), (Definition, Shorthand)),
        (layer_keys(), (Layer, DrawnLayer)),
    ]
    for keys, kinds in places:
        assert keys.keys() == {field.name for kind in kinds for field in msgspec.structs.fields(kind)}
        assert all(other in keys for key in keys.values() for other in key.instead_of)
    assert layer_keys()["activation"].default == "sigmoid"
    assert definition_keys()["title"].default is None


def test_what_a_key_is_for_and_may_be_stands_where_the_key_does() -> None:
    text = " ".join(starter("mine.toml").replace("\n#", "").split())
    for name, key in (definition_keys() | layer_keys()).items():
        said = key.heading if name == "layers" else f"{key.purpose}: {key.expected}."
        assert " ".join(said.split()) in text, name


def test_the_readme_names_every_key_and_everything_it_may_be() -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## Your own network")[2].partition("\n## ")[0]
    for word in (*definition_keys(), *layer_keys(), *(name for names in NAMES for name in names)):
        assert re.search(rf"\b{word}\b", section), word


def commented(text: str) -> list[str]:
    """The lines that are settings in a comment, but for those of the last section, which belong together."""
    return re.findall(r"^#\w+ = .*$", text.partition("#[[compare]]")[0], re.MULTILINE)


def without(text: str, key: str) -> str:
    """The text without the lines of the first setting with a key, however many they are."""
    return re.sub(rf"^{key} = (\[\n(  .*\n)+\]|.*)\n", "", text, count=1, flags=re.MULTILINE)


@pytest.mark.parametrize("asked", [SMALL, LARGE, SMALL | {"samples": 4}], ids=["small", "large", "samples"])
def test_what_is_in_a_comment_can_be_taken_out_of_it(asked: dict[str, Any], tmp_path: Path) -> None:
    text = starter("mine.toml", **asked)
    (tmp_path / "samples.csv").write_text("i1,i2,t1,t2\n0.1,0.2,0.3,0.4\n", encoding="utf-8")
    usual = parse(tomllib.loads(text), source="")
    lines = commented(text)
    assert len(lines) > 15
    for line in lines:
        key = line[1:].partition(" = ")[0]
        if key == "samples" and asked is LARGE:
            continue  # its file has two columns of inputs
        changed = text
        for other in (*KEYS[key].instead_of, *(name for name, about in KEYS.items() if key in about.instead_of), key):
            changed = without(changed, other)
        changed = changed.replace(line, line[1:], 1)
        if key == "initial":
            changed = changed.replace("#units", "units", 1)
        (tmp_path / "mine.toml").write_text(changed, encoding="utf-8")
        definition = load(tmp_path / "mine.toml")
        if key not in {"bias", "samples", "optimiser", "schedule"}:  # the others are shown as they are by default
            assert definition == usual, line
        elif key != "samples":
            assert definition != usual or '"gradient descent"' in line or '"constant"' in line, line


def test_the_comparison_can_be_taken_out_of_its_comment() -> None:
    text = starter("mine.toml")
    before, mark, after = text.partition("#[[compare]]")
    definition = parse(tomllib.loads(before + (mark + after).replace("#", "")), source="mine.toml")
    assert [each.optimiser.name for each in definition.compare] == ["momentum"]


@pytest.mark.parametrize("samples", [1, 6])
@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("loss", LOSSES)
def test_it_learns(loss: str, optimiser: str, samples: int) -> None:
    losses = train(started(layers="3,4,2", loss=loss, optimiser=optimiser, samples=samples))["E_total"]
    assert losses[-samples:].mean() < 0.99 * losses[:samples].mean()


@pytest.mark.parametrize(
    ("loss", "allowed"),
    [("binary cross-entropy", {0.0, 1.0}), ("categorical cross-entropy", {0.0, 1.0}), ("half squared error", None)],
)
def test_samples_suit_the_loss(loss: str, allowed: set[float] | None) -> None:
    samples = started(layers="3,4,3", loss=loss, samples=9).samples
    targets = {target for sample in samples for target in sample.targets}
    assert len({sample.inputs for sample in samples}) == 9
    assert all(0 <= value <= 1 for sample in samples for value in (*sample.inputs, *sample.targets))
    assert targets == allowed if allowed else len(targets) > 9
    for output in range(3):  # every output has something to tell apart
        assert len({sample.targets[output] for sample in samples}) > 1


def test_names_may_be_spelled_with_hyphens() -> None:
    asked = {"loss": "Binary-cross-entropy", "optimiser": "gradient_descent", "activation": "leaky-relu"}
    definition = started(**asked)
    assert (definition.loss, definition.optimiser.name) == ("binary cross-entropy", "gradient descent")
    assert definition.layers[0].activation == "leaky relu"


@pytest.mark.parametrize("file", ["a b.toml", 'quote".toml', "two\nlines.toml", "tab\t.toml", "√.toml"])
def test_no_file_name_breaks_the_text(file: str) -> None:
    assert tomllib.loads(starter(file)) == tomllib.loads(starter("mine.toml"))


REFUSED = [
    ({"layers": "2"}, '--layers: found "2", expected two or more whole numbers from 1 to 10,000'),
    ({"layers": "2,x,1"}, '--layers: found "2,x,1", expected two or more whole numbers'),
    ({"layers": "0,2"}, '--layers: found "0,2", expected two or more whole numbers'),
    ({"layers": "2,,1"}, '--layers: found "2,,1", expected two or more whole numbers'),
    ({"layers": "-1,2"}, '--layers: found "-1,2", expected two or more whole numbers'),
    ({"layers": ""}, '--layers: found "", expected two or more whole numbers'),
    ({"layers": "2,99999999999"}, '--layers: found "2,99999999999", expected two or more whole numbers'),
    ({"layers": "2,1", "output": "softmax"}, '--layers: found "2,1" with a softmax, expected two or more outputs'),
    ({"layers": "10000,10000"}, "layers: found 100,000,000 weights, expected 250,000 at most"),
    ({"activation": "softmax"}, '--activation: there is no "softmax"'),
    ({"output": "reul"}, '--output: there is no "reul"; did you mean "relu"?'),
    ({"loss": "cross"}, '--loss: there is no "cross"'),
    ({"output": "tanh", "loss": "binary cross-entropy"}, '--output: found "tanh" with the loss "binary cross-entropy"'),
    ({"optimiser": "adm"}, '--optimiser: there is no "adm"; did you mean "adam"?'),
    ({"samples": 0}, "--samples: found 0, expected a whole number from 1 to 1,000"),
    ({"samples": 1001}, "--samples: found 1001, expected a whole number"),
    ({"seed": -1}, "seed: found -1, expected a whole number from 0 to 4,294,967,295"),
]


@pytest.mark.parametrize(("asked", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_what_makes_no_definition_is_refused(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        starter("mine.toml", **asked)
    assert message in str(caught.value)


def test_nothing_is_made_up_for_a_network_that_is_too_large() -> None:
    start = process_time()
    with pytest.raises(UserError, match="too many"):
        starter("mine.toml", layers="10000,10000", samples=1000)
    assert process_time() - start < 0.5


@pytest.mark.thorough
def test_from_the_command_line_to_the_workbook(tmp_path: Path) -> None:
    asked = ["--layers", "3,2,2", "--activation", "tanh", "--loss", "categorical-cross-entropy", "--samples", "4"]
    done = run("new", "mine.toml", *asked, "--optimiser", "adam", "--seed", "3", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "mine.toml" in done.stdout
    assert done.stdout.rstrip().endswith("xlbackprop build mine.toml")
    text = (tmp_path / "mine.toml").read_bytes().decode()
    wanted: dict[str, Any] = {
        "layers": "3,2,2",
        "activation": "tanh",
        "loss": "categorical cross-entropy",
        "samples": 4,
    }
    assert text == starter("mine.toml", **wanted, optimiser="adam", seed=3)
    assert run("build", "mine.toml", cwd=tmp_path).returncode == 0
    book = openpyxl.load_workbook(tmp_path / "output" / "mine.xlsx")
    assert book["Walkthrough"]["A1"].value == "A 3-2-2 network"
    assert "Data" in book.sheetnames
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.toml", "output"]


def test_what_is_there_is_written_over_only_by_force(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("mine", encoding="utf-8")
    done = run("new", "mine.toml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "xlbackprop: mine.toml: is there already; --force writes over it\n"
    assert (tmp_path / "mine.toml").read_text(encoding="utf-8") == "mine"
    assert run("new", "mine.toml", "--force", cwd=tmp_path).returncode == 0
    assert load(tmp_path / "mine.toml").title == "A 2-2-2 network"


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["."], 'found ".", expected a file name that ends in .toml'),
        (["folder.toml", "--force"], "folder.toml: this is a folder"),
        (["mine"], 'found "mine", expected a file name that ends in .toml'),
        (["mine.xlsx"], 'found "mine.xlsx", expected a file name that ends in .toml'),
        (["mine.toml", "--layers", "2,x,1"], '--layers: found "2,x,1"'),
        (["mine.toml", "--loss", "cross"], '--loss: there is no "cross"'),
        (["mine.toml", "--samples", "many"], "'many' is not a valid int"),
        ([], "Missing argument"),
    ],
)
def test_a_mistake_is_one_message_and_nothing_is_written(arguments: list[str], message: str, tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    done = run("new", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.rglob("*")] == ["folder.toml"]
