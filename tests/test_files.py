"""Files that are written: whole or not at all, in the place that was meant, and what was there is kept as it was."""

from __future__ import annotations

import errno
import os
import shlex
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from xlbackprop import UserError
from xlbackprop.ground.files import absolute_path, as_typed, atomic_write, require_writable

ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


def write(target: Path, text: str = "new") -> None:
    with atomic_write(target) as beside:
        beside.write_text(text, encoding="utf-8")


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_new_file_has_the_usual_mode(tmp_path: Path) -> None:
    write(tmp_path / "a.txt")
    (tmp_path / "usual").write_text("")
    assert (tmp_path / "a.txt").read_text() == "new"
    assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o777])
def test_a_file_that_is_there_keeps_its_mode(mode: int, tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    target.chmod(mode)
    write(target)
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == mode


@pytest.mark.skipif(not ROOT, reason="only the administrator can give files away")
def test_a_file_that_is_there_keeps_its_owner(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    os.chown(target, 1234, 4321)
    write(target)
    assert target.read_text() == "new"
    assert (target.stat().st_uid, target.stat().st_gid) == (1234, 4321)


@pytest.mark.parametrize("there", [True, False], ids=["to a file", "to nothing yet"])
def test_a_symbolic_link_is_followed(there: bool, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    if there:
        (tmp_path / "far" / "a.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to(Path("far") / "a.txt")
    write(tmp_path / "link.txt")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "far" / "a.txt").read_text() == "new"
    assert everything(tmp_path) == ["far", "far/a.txt", "link.txt"]


def test_a_folder_above_a_link_is_that_of_what_it_points_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "far" / "deep").mkdir(parents=True)
    (tmp_path / "here").symlink_to(Path("far") / "deep")
    monkeypatch.chdir(tmp_path)
    written = Path("here") / ".." / "a.txt"
    write(written)
    assert (tmp_path / "far" / "a.txt").read_text() == "new"
    assert absolute_path(written).read_text() == "new"


def test_missing_folders_are_made(tmp_path: Path) -> None:
    write(tmp_path / "a" / "b" / "c.txt")
    assert everything(tmp_path) == ["a", "a/b", "a/b/c.txt"]


def test_the_longest_name_is_as_good_as_any(tmp_path: Path) -> None:
    write(tmp_path / f"{'n' * 251}.txt")
    assert everything(tmp_path) == [f"{'n' * 251}.txt"]


REFUSED: list[tuple[str, Callable[[Path], object], str]] = [
    ("folder", Path.mkdir, "this is a folder, expected the name of a file"),
    ("pipe", os.mkfifo, "this is a device, a pipe or a socket; choose another file"),
    ("link to a device", lambda path: path.symlink_to(os.devnull), "this is a device, a pipe or a socket"),
    ("link to itself", lambda path: path.symlink_to(path.name), "cannot be written"),
    ("x" * 300, lambda path: None, "cannot be written (File name too long)"),
    ("a\0b", lambda path: None, "no file can have such a name"),
    ("file/a.txt", lambda path: path.parent.write_text("a file"), "cannot be written"),
    ("file/b/a.txt", lambda path: path.parents[1].write_text("a file"), "cannot be written"),
    ("open.xlsx", lambda path: path.with_name(".~lock.open.xlsx#").write_text(""), "is open in a spreadsheet program"),
    ("open.xlsx", lambda path: path.with_name("~$open.xlsx").write_text(""), "is open in a spreadsheet program"),
]


@pytest.mark.parametrize(("name", "make", "message"), REFUSED, ids=[f"{name[:20]!r}" for name, *_ in REFUSED])
def test_what_is_no_file_is_refused_and_stays(
    name: str, make: Callable[[Path], object], message: str, tmp_path: Path
) -> None:
    make(tmp_path / name)
    before = everything(tmp_path)
    with pytest.raises(UserError) as caught:
        require_writable(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: {message}")
    with pytest.raises(UserError), atomic_write(tmp_path / name):
        pytest.fail("there was nothing to write to")
    assert everything(tmp_path) == before


@pytest.mark.skipif(ROOT, reason="the administrator may write everywhere")
@pytest.mark.parametrize("protected", ["a", "a/b.txt"])
def test_what_is_protected_is_refused(protected: str, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.txt").write_text("old")
    (tmp_path / protected).chmod(0o500)
    with pytest.raises(UserError, match="protected"):
        require_writable(tmp_path / "a" / "b.txt")
    (tmp_path / protected).chmod(0o700)


BROKEN = [
    (OSError(errno.ENOSPC, "No space left on device"), "the disk is full; what was there is untouched"),
    (OSError(errno.EDQUOT, "Disk quota exceeded"), "the disk is full; what was there is untouched"),
    (OSError(errno.EIO, "Input/output error"), "cannot be written (Input/output error)"),
    (ValueError("x"), ""),
    (KeyboardInterrupt(), ""),
]


@pytest.mark.parametrize(("error", "message"), BROKEN, ids=[str(error) for error, _ in BROKEN])
@pytest.mark.parametrize("name", ["old.txt", "new/deep/a.txt"])
def test_work_that_breaks_off_leaves_all_as_it_was(
    error: BaseException, message: str, name: str, tmp_path: Path
) -> None:
    (tmp_path / "old.txt").write_text("old")
    expected = UserError if isinstance(error, OSError) else type(error)

    def break_off() -> None:
        with atomic_write(tmp_path / name) as beside:
            beside.write_text("half")
            raise error

    with pytest.raises(expected) as caught:
        break_off()
    assert message in str(caught.value)
    assert everything(tmp_path) == ["old.txt"]
    assert (tmp_path / "old.txt").read_text() == "old"


@pytest.mark.parametrize("name", ["a.toml", "a b.toml", "it's.toml", "$HOME.toml", "`ls`.toml", "√.toml", "-x.toml"])
def test_a_name_in_a_command_is_typed_as_it_is(name: str) -> None:
    (typed,) = shlex.split(as_typed(Path(name)))
    assert Path(typed) == Path(name)
    assert not typed.startswith("-")


@pytest.mark.parametrize("name", ["a\nb.toml", "a\x1b[2J.toml", os.fsdecode(b"\xff.toml")])
def test_a_name_that_cannot_be_typed_is_not_shown(name: str) -> None:
    assert as_typed(Path(name)) == "FILE"
