"""The command render: what it writes, and what it says where a program is missing."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import openpyxl
import pytest

from tests import installed
from tests.books import build
from xlbackprop import UserError, load, train
from xlbackprop.workbook.printing import render
from xlbackprop.workbook.worksheet_printing import handout


@pytest.fixture
def workbook(tmp_path: Path) -> Path:
    return build(load(iterations=3), tmp_path / "a class [1].xlsx")


def pretend(folder: Path, name: str, script: str) -> None:
    """Put a program of a name into a folder."""
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which programs are found; an empty one."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_without_libreoffice_it_says_what_to_do(workbook: Path, programs: Path) -> None:
    with pytest.raises(UserError, match=r"LibreOffice is needed.*libreoffice\.org"):
        render(workbook)


def test_without_a_converter_it_says_what_to_do(workbook: Path, programs: Path) -> None:
    pretend(programs, "soffice", "exit 1")
    with pytest.raises(UserError, match=r"pdftoppm is needed.*poppler-utils"):
        render(workbook, format="png")


def test_the_command_line_exits_with_2(workbook: Path, programs: Path) -> None:
    command = [sys.executable, "-m", "xlbackprop", "render", str(workbook)]
    done = subprocess.run(command, env={**os.environ, "PATH": str(programs)}, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("xlbackprop: LibreOffice is needed")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("script", "message"), [("exit 0", "cannot print this"), ("echo 'no disk' >&2; exit 3", "soffice failed: no disk")]
)
def test_a_failing_program_leaves_nothing_behind(script: str, message: str, workbook: Path, programs: Path) -> None:
    pretend(programs, "soffice", script)
    before = sorted(workbook.parent.iterdir())
    with pytest.raises(UserError, match=message):
        render(workbook)
    assert sorted(workbook.parent.iterdir()) == before


def test_a_missing_workbook_and_a_file_for_a_folder_are_named(workbook: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.xlsx: there is no such file"):
        render(tmp_path / "none.xlsx")
    with pytest.raises(
        UserError, match=r"found .*class \[1\]\.xlsx, expected a folder, or a file name that ends in \.pdf"
    ):
        render(workbook, workbook)
    with pytest.raises(UserError, match="this is a folder"):
        render(tmp_path)
    (tmp_path / "letter.xlsx").write_text("Dear Sir")
    with pytest.raises(UserError, match=r"letter\.xlsx: this is no workbook"):
        render(tmp_path / "letter.xlsx")


@pytest.fixture
def office(programs: Path) -> None:
    """A program that prints whatever it is given."""
    out = 'while [ $# -gt 1 ]; do [ "$1" = --outdir ] && out=$2; shift; done'
    pretend(programs, "soffice", f'{out}; name="${{1##*/}}"; echo "%PDF" > "$out/${{name%.*}}.pdf"')


@pytest.mark.parametrize(
    ("output", "written"),
    [
        ("lesson.pdf", "lesson.pdf"),
        ("new/Lesson.PDF", "new/Lesson.pdf"),
        ("new", "new/a class [1].pdf"),
        ("v1.0", "v1.0/a class [1].pdf"),
        ("made.pdf", "made.pdf/a class [1].pdf"),
        ("lesson.xlsx", None),
        ("lesson.png", None),
    ],
)
def test_what_is_printed_goes_where_its_name_says(
    output: str, written: str | None, workbook: Path, office: None, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    (folder / "made.pdf").mkdir(parents=True)
    if written is None:
        with pytest.raises(UserError, match=rf"found .*{output}, expected a folder, or a file name that ends in \.pdf"):
            render(workbook, folder / output)
    else:
        assert render(workbook, folder / output) == [folder / written]
    files = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    assert files == ([written] if written else [])


def test_pictures_need_a_folder(workbook: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"found .*page\.pdf, expected a folder$"):
        render(workbook, tmp_path / "page.pdf", format="png")


@pytest.mark.parametrize(
    ("output", "names"),
    [("", ["mine-worksheet.pdf", "mine-answers.pdf"]), ("monday.pdf", ["monday.pdf", "monday-answers.pdf"])],
)
def test_a_worksheet_is_called_as_one_asks_for_it(output: str, names: list[str], office: None, tmp_path: Path) -> None:
    written = handout(load("and-or"), "mine", tmp_path / output)
    assert written == [tmp_path / name for name in names]
    assert all(path.is_file() for path in written)


def test_a_folder_that_cannot_be_made_is_named(workbook: Path, office: None) -> None:
    assert render(workbook)[0].read_text() == "%PDF\n"
    with pytest.raises(UserError, match=r"impossible.*cannot be written \(Not a directory\)"):
        render(workbook, workbook / "impossible")


@pytest.mark.skipif(os.name != "posix", reason="names that are bytes")
@pytest.mark.parametrize("name", [b"n" * 250, b"na\xefve", b"a\x1b[2J"], ids=["long", "no text", "obeyed"])
def test_programs_are_given_a_name_that_they_take(name: bytes, workbook: Path, programs: Path) -> None:
    out = 'while [ $# -gt 1 ]; do [ "$1" = --outdir ] && out=$2; shift; done'
    pretend(programs, "soffice", f'{out}; [ "${{1##*/}}" = workbook.xlsx ] && echo "%PDF" > "$out/workbook.pdf"')
    odd = workbook.with_name(os.fsdecode(name + b".xlsx"))
    shutil.copy(workbook, odd)
    assert render(odd) == [odd.with_suffix(".pdf")]
    assert odd.with_suffix(".pdf").read_text() == "%PDF\n"


def test_only_a_workbook_of_ours_has_a_table_to_print(workbook: Path, programs: Path) -> None:
    pretend(programs, "soffice", "exit 1")
    foreign = openpyxl.Workbook()
    foreign.save(workbook.with_name("theirs.xlsx"))
    shutil.copy(workbook, workbook.with_name("resaved.ods"))
    for name in ("theirs.xlsx", "resaved.ods"):
        with pytest.raises(UserError, match=rf"{name}: found no table of iterations; expected a workbook of"):
            render(workbook.with_name(name), is_table=True)


@pytest.mark.slow
def test_the_whole_table_is_printed_when_asked_for(tmp_path: Path) -> None:
    installed.program("soffice")
    installed.program("pdftotext")
    workbook = build(load(iterations=3), tmp_path / "class.xlsx", sheets=["walkthrough", "handout"])
    (document,) = render(workbook, is_table=True)
    assert document.name == "class-table.pdf"
    text = subprocess.run(["pdftotext", "-layout", document, "-"], capture_output=True, text=True, check=True).stdout
    trace = train(load(iterations=3))
    for name in ("w1", "h1", "a_o2", "E_total", "∂E/∂w1", "∂E/∂w8"):
        assert f"{trace[name][-1]:.6f}" in text, name
    assert "Forward pass" not in text


@pytest.mark.slow
def test_every_page_is_printed(workbook: Path, tmp_path: Path) -> None:
    installed.program("soffice")
    installed.program("pdftoppm")
    workbook = build(load(iterations=3), workbook, sheets=["walkthrough", "start-here", "your-turn", "handout"])
    (document,) = render(workbook, tmp_path / "new folder")
    assert document == tmp_path / "new folder" / "a class [1].pdf"
    assert document.read_bytes().startswith(b"%PDF")
    pictures = render(workbook, tmp_path / "new folder", format="png")
    assert len(pictures) >= 4
    pages = [int(picture.name.removeprefix("a class [1]-").removesuffix(".png")) for picture in pictures]
    assert pages == list(range(1, len(pictures) + 1))
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in pictures)
    assert sorted(tmp_path.joinpath("new folder").iterdir()) == sorted([document, *pictures])
