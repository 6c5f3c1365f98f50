"""The house: imports run one way, and every module opens with one sentence on what it is."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

import xlbackprop

HOUSE = Path(xlbackprop.__file__).parent
MODULES = {
    ".".join(path.relative_to(HOUSE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(HOUSE.rglob("*.py"))
}


@cache
def imports(module: str) -> set[str]:
    """The modules that a module imports, wherever it does so; imports for type checkers only do not count."""
    found: set[str] = set()
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    only_for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in only_for_types:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written out"
            inside = {f"{node.module}.{alias.name}" for alias in node.names} & MODULES.keys()
            found |= inside or {str(node.module)}
    return found


@cache
def reachable(module: str) -> set[str]:
    """Everything that a module imports, by itself or through another module of ours."""
    found: set[str] = set()
    ahead = [module]
    while ahead:
        new = imports(ahead.pop()) - found
        found |= new
        ahead += [name for name in new if name in MODULES]
    return found


@pytest.mark.parametrize("module", MODULES)
def test_a_module_opens_with_one_sentence(module: str) -> None:
    docstring = ast.get_docstring(ast.parse(MODULES[module].read_text(encoding="utf-8"))) or ""
    first = docstring.partition("\n\n")[0]
    assert first.endswith((".", "written.", ".:")), first
    assert first.rstrip(".").count(". ") == 0, first


def test_engine_and_derivation_do_not_know_each_other() -> None:
    assert "xlbackprop.derivation.derive" not in reachable("xlbackprop.engine.training")
    assert "xlbackprop.symbols.reading" not in reachable("xlbackprop.engine.training")
    assert "xlbackprop.engine.training" not in reachable("xlbackprop.derivation.derive")


@pytest.mark.parametrize("module", ["engine", "derivation", "walkthrough", "network", "symbols"])
def test_only_the_workbook_knows_openpyxl(module: str) -> None:
    for name in MODULES:
        if name.startswith(f"xlbackprop.{module}."):
            assert not [other for other in reachable(name) if other.startswith(("openpyxl", "xlbackprop.workbook"))]


def test_imports_have_no_circles() -> None:
    for module in MODULES:
        if module != "xlbackprop":  # its public names are looked up when they are first used
            assert module not in reachable(module)
