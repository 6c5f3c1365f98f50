"""The public face: what `import xlbackprop` gives, and what it says of each name."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import xlbackprop
from tests.test_architecture import MODULES

PUBLIC = ("Definition", "Trace", "build", "check", "explain", "load", "train")
FUNCTIONS = ("build", "check", "explain", "load", "train")
PROJECT = Path(__file__).parent.parent


def test_the_public_names_are_sorted_and_there() -> None:
    assert list(xlbackprop.__all__) == sorted(xlbackprop.__all__) == dir(xlbackprop)
    assert set(PUBLIC) <= set(xlbackprop.__all__)
    for name in xlbackprop.__all__:
        assert getattr(xlbackprop, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        _ = xlbackprop.lode


def test_every_error_that_a_reader_may_meet_is_public() -> None:
    errors = {"UserError"}
    classes = [
        node
        for path in MODULES.values()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    ]
    for _ in classes:
        errors |= {each.name for each in classes if {ast.unparse(base) for base in each.bases} & errors}
    assert errors - {"UnreadableError"} <= set(xlbackprop.__all__)  # the checker makes a report of that one
    assert {"DefinitionError", "NoRoomError", "UnknownQuantityError"} <= errors
    for name in errors & set(xlbackprop.__all__):
        assert issubclass(getattr(xlbackprop, name), xlbackprop.UserError)


@pytest.mark.parametrize("name", [name for name in xlbackprop.__all__ if name != "__version__"])
def test_a_public_name_says_what_it_is(name: str) -> None:
    thing = getattr(xlbackprop, name)
    said = inspect.getdoc(thing) or ""
    assert said.partition("\n")[0].endswith((".", ":")), said
    if name in FUNCTIONS:
        arguments = set(inspect.signature(thing).parameters)
        told = {line.strip().partition(":")[0] for line in said.partition("Args:")[2].splitlines()}
        assert arguments <= told, arguments - told
        raised = re.findall(r"^    (\w+Error): ", said.partition("Raises:")[2], re.MULTILINE)
        assert raised
        assert set(raised) <= set(xlbackprop.__all__)


def test_the_version_stands_in_one_place() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert xlbackprop.__version__ == project["version"]
    changes = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## {re.escape(project['version'])}\b", changes, re.MULTILINE)


def test_the_names_are_imported_when_they_are_used() -> None:
    code = (
        "import sys, xlbackprop; xlbackprop.UserError; print(*(m for m in ('numpy', 'openpyxl') if m in sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "\n"


def test_a_report_is_made_of_structs(tmp_path: Path) -> None:
    report = xlbackprop.check(tmp_path / "none.xlsx")
    assert isinstance(report, xlbackprop.Report)
    assert report.status == "unreadable"
    with pytest.raises(xlbackprop.UserError, match="--map"):
        xlbackprop.check(tmp_path / "none.xlsx", map_file=tmp_path / "none.toml")


@pytest.mark.parametrize("engine", ["excel", "", 3, None])
def test_an_engine_that_nobody_knows_is_told(engine: Any) -> None:
    with pytest.raises(xlbackprop.UserError, match=r'engine: found .*, expected one of "ironcalc", "libreoffice"'):
        xlbackprop.check("book.xlsx", engine=engine)


@pytest.mark.parametrize("iteration", ["a", 1.5, None, True])
def test_an_iteration_that_is_no_number_is_told(iteration: Any) -> None:
    with pytest.raises(xlbackprop.UserError, match=r"iteration: found .*, expected a whole number from 0 to 67"):
        xlbackprop.explain(xlbackprop.load(), "w1", iteration)


@pytest.mark.parametrize("name", [5, None, ["w1"]])
def test_a_quantity_that_is_no_name_is_told(name: Any) -> None:
    with pytest.raises(xlbackprop.UserError, match=r"found .*, expected the name of a quantity, such as i1"):
        xlbackprop.explain(xlbackprop.load(), name)


def test_an_explanation_is_made_of_steps_and_reads_as_text() -> None:
    definition = xlbackprop.load(iterations=3)
    explanation = xlbackprop.explain(definition, "dE/dw5", 2)
    assert [step.name for step in explanation.steps][-1] == "∂E/∂w5"
    assert str(explanation).startswith("∂E/∂w5 is ")
    for iteration in (-1, 3):
        with pytest.raises(
            xlbackprop.UserError, match=f"iteration: found {iteration}, expected a whole number from 0 to 2"
        ):
            xlbackprop.explain(definition, "dE/dw5", iteration)
