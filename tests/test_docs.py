"""The documents: what they say of the code is so, and their links lead somewhere."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests import handmade
from tests.reports import check
from tests.test_architecture import MODULES, ROOMS
from tests.test_check import SLIPS
from xlbackprop import Report, load, train
from xlbackprop.checker.report.findings import EXIT_CODES
from xlbackprop.network import ACTIVATIONS, LOSSES, SOFTMAX
from xlbackprop.walkthrough.size import fit

PROJECT = Path(__file__).parent.parent
DOCUMENTS = sorted([*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md"), *PROJECT.glob("benchmarks/*.md")])
CHECK = (PROJECT / "docs" / "check.md").read_text(encoding="utf-8")
SCHEMA: dict[str, Any] = msgspec.json.schema(Report)["$defs"]
CALLS = {"Slip": 0, "Repair": 0, "Mistake": 1, "Note": 2, "Finding": 3}
"""In which place the structs of the checker have their kind."""


def table(text: str, heading: str) -> list[list[str]]:
    """The rows of the first table below a heading."""
    section = re.split(r"^#+ ", text.partition(f"\n{heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip().replace("`", "") for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def type_name(schema: dict[str, Any]) -> str:
    """A type as the document has it."""
    if "anyOf" in schema:
        kinds = sorted(map(type_name, schema["anyOf"]), key=lambda kind: (kind == "null", kind))
        return " or ".join(kinds)
    if "enum" in schema:
        return f"one of {', '.join(schema['enum'])}"
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    return f"array of {type_name(schema['items'])}" if schema["type"] == "array" else str(schema["type"])


@pytest.mark.parametrize("name", SCHEMA)
def test_the_report_has_the_fields_of_the_document(name: str) -> None:
    documented = [(field, kind) for field, kind, _ in table(CHECK, f"### {name}")]
    assert documented == [(field, type_name(kind)) for field, kind in SCHEMA[name]["properties"].items()]


def test_the_exit_codes_are_those_of_the_document() -> None:
    assert {status: int(code) for code, status, _ in table(CHECK, "## Exit codes")} == EXIT_CODES


def documented_kinds(of: str) -> list[str]:
    return [kind for kind, _ in table(CHECK, f"## Kinds of {of}")]


def test_the_kinds_are_those_of_the_document() -> None:
    findings, notes = documented_kinds("findings"), documented_kinds("notes")
    assert findings == sorted(findings)
    assert notes == sorted(notes)
    assert len(findings) > 20
    nodes = [
        node
        for module, path in MODULES.items()
        if module.startswith("xlbackprop.checker.")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    ]
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    assert {*findings, *notes} - texts == set(), "the document has kinds that the checker has not"
    for node in nodes:
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS):
            continue
        for kind in [*node.args[CALLS[node.func.id] :][:1], *(k.value for k in node.keywords if k.arg == "kind")]:
            if isinstance(kind, ast.Constant):
                assert kind.value in (notes if node.func.id == "Note" else findings), ast.unparse(node)


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_of_a_kind_of_the_document(slip: str) -> None:
    assert SLIPS[slip][3] in documented_kinds("findings")


def test_the_map_of_the_document_is_one(tmp_path: Path) -> None:
    example = re.findall(r"```toml\n(.*?)```", CHECK, re.DOTALL)[-1]
    (tmp_path / "map.toml").write_text(example, encoding="utf-8")
    columns = {key: value for key, value in tomllib.loads(example).items() if key not in ("sheet", "header")}
    assert len(columns) > 5
    report = check(handmade.write(tmp_path / "theirs.xlsx"), map_file=tmp_path / "map.toml")
    assert report.status == "ok", report.message


def test_the_document_names_every_activation_and_loss() -> None:
    about, told = CHECK.partition("## Exit codes")[0], CHECK.partition("## The map")[2]
    for name in (*ACTIVATIONS, SOFTMAX):
        assert re.search(rf"\b{name}\b", about), name
        assert re.search(rf"\b{name}\b", told), name
    for name in LOSSES:
        assert name in told


@pytest.mark.thorough
def test_what_the_readme_says_in_python_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (lines,) = re.findall(r"```python\n(.*?)```", (PROJECT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    handmade.write(tmp_path / "theirs.xlsx", SLIPS["a missing factor"][0])
    monkeypatch.chdir(tmp_path)
    shown: list[Any] = []
    given: dict[str, Any] = {}
    for statement in ast.parse(lines).body:
        if isinstance(statement, ast.Expr):
            shown.append(eval(ast.unparse(statement), given))
        else:
            exec(ast.unparse(statement), given)
    by_w5, a_h1, _, path, message = shown
    assert list(by_w5) == list(given["trace"]["dE/dw5"])
    assert a_h1 == pytest.approx(0.506874566764534)
    assert "∂E/∂w1" in capsys.readouterr().out
    assert path.samefile(tmp_path / "classic.xlsx")
    assert "lacks the factor (1 − a_o2)" in message


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#?]+)[^)]*\)", document.read_text(encoding="utf-8")):
        if not target.startswith("https://"):
            assert (document.parent / target).exists(), target


def test_the_rooms_are_those_of_the_document() -> None:
    text = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = [re.split(r" ?\| ?", line.strip("| ")) for line in text.splitlines() if re.match(r"\| \d", line)]
    assert {room: taken for _, room, taken, *_ in rows} == ROOMS
    floors = {room: int(floor) for floor, room, *_ in rows}
    assert max(floors.values()) <= 7
    for room, taken in ROOMS.items():
        assert floors[room] == 1 + max((floors[other] for other in taken.split()), default=0)
    drawing = text.partition("```\n")[2].partition("```")[0]
    drawn = re.findall(r"^(\d) (.*)$", drawing, re.MULTILINE)
    assert {room: int(floor) for floor, rooms in drawn for room in re.findall(r"\w+", rooms)} == floors


def defined() -> dict[str, set[str]]:
    """What stands in every room, module and class, by the last part of its name."""
    found = defaultdict[str, set[str]](set)
    for module, path in MODULES.items():
        room, _, name = module.rpartition(".")
        found[room.rpartition(".")[2]].add(name)
        scopes: list[tuple[str, ast.Module | ast.ClassDef]] = [(name, ast.parse(path.read_text(encoding="utf-8")))]
        scopes += [(node.name, node) for node in ast.walk(scopes[0][1]) if isinstance(node, ast.ClassDef)]
        for owner, scope in scopes:
            for node in scope.body:
                match node:
                    case ast.FunctionDef(name=own) | ast.ClassDef(name=own) | ast.AnnAssign(target=ast.Name(id=own)):
                        found[owner].add(own)
    return found


def test_what_the_walks_name_stands_where_they_say() -> None:
    text = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8").partition("## First walk")[2]
    scopes = defined()
    every = set().union(*scopes.values())
    for name in re.findall(r"`((?:\w+\.)*\w+)(?:\(.*?\))?`", text):
        parts = name.split(".")
        assert parts[-1] in every | NAMED, name
        assert all(part in scopes[owner] for owner, part in pairwise(parts)), name
    definition = load()
    table = fit(definition, "compact").table
    assert f"{table.first_formula('∂E/∂w3')}`".format(row=33) in text
    assert f"`{table.formula('w3')}`" in text
    assert table.learning_rate_cell == "$G$31"
    shown = re.findall(r"0\.000\d+…", text)
    assert shown[0] == f"{train(definition)['∂E/∂w3'][0]:.10f}"[: len(shown[0]) - 1] + "…"


NAMED = {"eta"}
"""The name of a cell, which is no definition."""
