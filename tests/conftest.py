"""What holds for all tests."""

import gc
import os
from functools import lru_cache

import pytest
from hypothesis import HealthCheck, Phase, settings

from xlbackprop import load  # before openpyxl, as its users do

# isort: split

import openpyxl
from openpyxl.formula.translate import Translator

from tests import books
from tests.books import TemplateBook
from tests.cases import thorough_but
from xlbackprop.checker import worlds
from xlbackprop.network.templates import names
from xlbackprop.workbook.xlsx import writer

# times say nothing on a machine that is shared; generated workbooks are slow to make, and making a failing one smaller
# takes minutes, so that the first one found is shown as it is
settings.register_profile(
    "xlbackprop",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=os.environ.get("CI") == "true",  # what lands is not left to chance; developers' machines explore
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
settings.load_profile("xlbackprop")

# a workbook is a hundred thousand objects that live as long as it: looking for garbage among them, again and again
# while it is read, finds none; and in each of its rows openpyxl moves the same references by as many rows
gc.set_threshold(200_000, 20, 100)
Translator.translate_range = staticmethod(lru_cache(1 << 17)(Translator.translate_range))

# the checker tries formulas in random networks that are the same every time; a process of it keeps few, the tests all
worlds._world = lru_cache(1 << 12)(worlds._world.__wrapped__)
worlds._derivation_of = lru_cache(1 << 12)(worlds._derivation_of.__wrapped__)

# to compress what only tests read takes a fifth of the time of a workbook
_LEVEL, writer._LEVEL = writer._LEVEL, 0


def pytest_collection_finish() -> None:
    """What is there before the first test stays: no garbage is looked for in it."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def as_handed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workbooks in the bytes in which they are handed out."""
    monkeypatch.setattr(writer, "_LEVEL", _LEVEL)


@pytest.fixture(scope="session", params=thorough_but(names(), "classic"))
def template_book(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TemplateBook:
    """The workbook of each template, built and read once for all tests that take it."""
    path = books.build(load(request.param), tmp_path_factory.mktemp("template") / f"{request.param}.xlsx")
    return TemplateBook(path, openpyxl.load_workbook(path, data_only=True))
