"""Speed, as ratios that hold on a slow or busy machine too; `make bench` measures the real figures."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from time import process_time

import pytest
from openpyxl import Workbook

from tests.networks import sized
from xlbackprop import build, load, train
from xlbackprop.derivation.equations import derive
from xlbackprop.engine.training import train_all
from xlbackprop.network.loading import parse
from xlbackprop.walkthrough.arrangement import arrange

ITERATIONS = 3000


def seconds(folder: Path, *arguments: str) -> float:
    """The processor time of a Python process, the least of three runs; what it imports is compiled once, as usual."""
    import resource

    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times)


@pytest.mark.slow
def test_a_table_is_written_in_less_than_half_the_time_of_openpyxl_without_values(tmp_path: Path) -> None:
    definition = load(iterations=ITERATIONS)
    start = process_time()
    build(definition, tmp_path / "ours.xlsx", sheets=["walkthrough"])
    ours = process_time() - start
    table = arrange(derive(definition), ITERATIONS, "compact").table
    start = process_time()
    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    templates = ["=" + table.formula(name) for name in table.quantities]
    for row in range(34, 34 + ITERATIONS):
        sheet.append([text.format(row=row, above=row - 1) for text in templates])
    book.save(tmp_path / "theirs.xlsx")
    theirs = process_time() - start
    assert ours < theirs / 2


@pytest.mark.slow
def test_twenty_networks_at_once_take_less_than_a_third_of_the_time_of_one_after_the_other() -> None:
    definition = load("optimisers", iterations=ITERATIONS)  # one small network without states is written down instead
    start = process_time()
    train_all([definition] * 20)
    together = process_time() - start
    start = process_time()
    for _ in range(20):
        train(definition)
    assert together < (process_time() - start) / 3


@pytest.mark.slow
def test_the_time_of_a_build_grows_with_the_weights_and_not_with_their_square(tmp_path: Path) -> None:
    def a_weight(units: int) -> float:
        definition = parse(sized(units, units, units), source="wide")
        start = process_time()
        build(definition, tmp_path / "wide.xlsx", sheets=["walkthrough"])
        return (process_time() - start) / (2 * units**2)

    a_weight(8)  # what it imports
    assert min(a_weight(40) for _ in range(2)) < 2 * min(a_weight(12) for _ in range(3))


@pytest.mark.slow
def test_building_takes_a_small_multiple_of_importing_what_it_loads(tmp_path: Path) -> None:
    imports = seconds(tmp_path, "-c", "import numpy, msgspec, typer")
    build_all = ("-m", "xlbackprop", "build")
    assert seconds(tmp_path, *build_all, "--sheets", "walkthrough") < 2.3 * imports
    assert seconds(tmp_path, *build_all) < 4 * imports


@pytest.mark.slow
def test_help_takes_little_longer_than_importing_what_it_needs(tmp_path: Path) -> None:
    assert seconds(tmp_path, "-m", "xlbackprop", "--help") < 2 * seconds(tmp_path, "-c", "import typer")
