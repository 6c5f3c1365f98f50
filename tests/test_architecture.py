"""The house: which room may take from which, no circle, no import upwards, one sentence on every module."""

from __future__ import annotations

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import xlbackprop

ROOMS = {
    "ground": "",
    "symbols": "",
    "network": "symbols ground",
    "engine": "network ground",
    "derivation": "network symbols ground",
    "walkthrough": "engine derivation network symbols ground",
    "workbook": "walkthrough engine derivation network symbols ground",
    "checker": "engine derivation network symbols ground",
    "cli": "workbook checker walkthrough engine derivation network symbols ground",
}
"""The rooms, and what each of them may take from."""
ORDERS = {
    "workbook": "xlsx panels sheets build printing worksheet_printing",
    "checker": "memory worlds file report table judgement calculation notes confirmation summary checking"
    " workers worker_process command",
}
"""What stands in a room that has rooms of its own; each takes only from those before it."""

HOUSE = Path(xlbackprop.__file__).parent
MODULES = {
    ".".join(path.relative_to(HOUSE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(HOUSE.rglob("*.py"))
}
FACES = {f"xlbackprop.{room}" for room in ROOMS} & MODULES.keys()


def room_of(module: str) -> str:
    """The room in which a module of ours stands; the public face and `python -m` stand at the door, like `cli`."""
    return module.split(".")[1].replace("__main__", "cli") if "." in module else "cli"


@cache
def imports(module: str) -> frozenset[str]:
    """The modules that a module imports, wherever it does so, for types alone too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written out"
            inside = {f"{node.module}.{alias.name}" for alias in node.names} & MODULES.keys()
            found |= inside or {str(node.module)}
    return frozenset(found)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_opens_with_one_sentence(module: str) -> None:
    docstring = ast.get_docstring(ast.parse(MODULES[module].read_text(encoding="utf-8"))) or ""
    first = docstring.partition("\n\n")[0]
    assert first.endswith((".", "written.", ".:")), first
    assert first.rstrip(".").count(". ") == 0, first


@pytest.mark.parametrize("module", MODULES)
def test_a_room_takes_only_from_the_rooms_below_it(module: str) -> None:
    room = room_of(module)
    taken = {room_of(other) for other in imports(module) if other in MODULES}
    assert taken <= {room, *ROOMS[room].split()}


@pytest.mark.parametrize("room", ORDERS)
def test_a_room_within_a_room_takes_only_from_those_before_it(room: str) -> None:
    order = ORDERS[room].split()
    inside = {module: module.split(".")[2] for module in MODULES if module.startswith(f"xlbackprop.{room}.")}
    assert sorted(order) == sorted(set(inside.values()))
    taken = {(place, inside[other]) for module, place in inside.items() for other in imports(module) & inside.keys()}
    upwards = {(place, other) for place, other in taken if order.index(other) > order.index(place)}
    assert not upwards


@pytest.mark.parametrize("module", [module for module in MODULES if room_of(module) not in ("cli", "ground")])
def test_a_room_takes_from_another_what_its_face_hands_on(module: str) -> None:
    ours = imports(module) & MODULES.keys()
    others = {other for other in ours if room_of(other) not in (room_of(module), "ground")}
    assert others <= FACES | {"xlbackprop.network.softmax"}  # its functions are told by the name of their module


@cache
def taken_from(path: Path) -> tuple[ast.ImportFrom, ...]:
    """What a file takes from modules by name."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return tuple(node for node in nodes if isinstance(node, ast.ImportFrom))


@pytest.mark.parametrize("face", [face for face in sorted(FACES) if MODULES[face].name == "__init__.py"])
def test_a_face_hands_on_what_others_take_and_defines_nothing(face: str) -> None:
    _, *body = ast.parse(MODULES[face].read_text(encoding="utf-8")).body
    handed = {alias.name for node in body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert all(isinstance(node, ast.ImportFrom) for node in body)
    taken = {
        alias.name
        for path in [*MODULES.values(), *HOUSE.with_name("tests").glob("*.py")]
        for node in taken_from(path)
        if node.module == face
        for alias in node.names
    }
    assert handed <= taken, f"nobody takes {handed - taken}"


def test_imports_have_no_circles() -> None:
    house = {module: imports(module) & MODULES.keys() - {module} for module in MODULES if module != "xlbackprop"}
    try:
        TopologicalSorter(house).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_openpyxl_reads_workbooks_and_writes_none_of_ours() -> None:
    knowing = {module for module in MODULES if any(name.startswith("openpyxl") for name in imports(module))}
    assert knowing == {"xlbackprop.workbook.printing", "xlbackprop.checker.report.annotated_copy"}
