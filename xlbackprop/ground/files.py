"""Files are written beside their place and moved there when they are complete, so that there is never half a file."""

from __future__ import annotations

import errno
import os
import shlex
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from xlbackprop.ground.errors import UserError

_REFUSED = {errno.EACCES, errno.EPERM, errno.EBUSY, errno.EROFS}
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


@contextmanager
def atomic_write(target: Path) -> Iterator[Path]:
    """A path to write to, in the target's folder; what stands there in the end takes the target's place.

    A symbolic link is followed; a file that is there keeps its mode and, where the system allows it, its owner.
    Missing folders are made, and taken away again if nothing comes of the file.

    Raises:
        UserError: the target cannot be written, or is open in a spreadsheet program; what was there is untouched.
    """
    place = require_writable(target)
    temporary = place.with_name(f".xlbackprop-{os.urandom(8).hex()}{place.suffix}")
    made = [folder for folder in (place.parent, *place.parent.parents) if not folder.exists()]
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        _create(temporary, like=place)
        yield temporary
        os.replace(temporary, place)
    except OSError as error:
        if error.errno in _FULL:
            raise UserError(f"{target}: cannot be written, the disk is full; what was there is untouched") from error
        raise UserError(_refusal(target, error)) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        for folder in made:
            with suppress(OSError):  # it is not empty: the file is in it
                folder.rmdir()


def require_writable(target: Path) -> Path:
    """The file that is to be written, at the end of all symbolic links; for use before work that may be in vain.

    Raises:
        UserError: it cannot be written, or is open in a spreadsheet program.
    """
    place = _at_the_end_of_links(target)
    try:
        there = place.stat()
    except FileNotFoundError:
        there = None
    except OSError as error:
        raise UserError(_refusal(target, error)) from error
    if there is not None and stat.S_ISDIR(there.st_mode):
        raise UserError(f"{target}: this is a folder, expected the name of a file")
    if there is not None and not stat.S_ISREG(there.st_mode):
        raise UserError(f"{target}: this is a device, a pipe or a socket; choose another file")
    if there is not None and not os.access(place, os.W_OK):
        raise UserError(f"{target}: is protected against writing; choose another file")
    folder = next(folder for folder in place.parents if folder.exists())
    if not folder.is_dir():
        raise UserError(f"{target}: cannot be written, {folder} is no folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"{target}: cannot be written, the folder {folder} is protected against it")
    _refuse_open_file(target, place)
    return place


def absolute_path(path: Path) -> Path:
    """A path that means the same wherever one is.

    Raises:
        UserError: the current folder has been deleted.
    """
    try:
        return (
            path if path.is_absolute() else Path.cwd() / path
        )  # `..` stays: after a link to a folder it is another one than it seems
    except FileNotFoundError:
        raise UserError(f"{path}: the folder that this runs in is no longer there") from None


def _at_the_end_of_links(target: Path) -> Path:
    try:
        return Path(os.path.realpath(absolute_path(target)))
    except ValueError:
        raise UserError(f"{target}: no file can have such a name") from None
    except OSError as error:
        raise UserError(_refusal(target, error)) from error


def require_ending(target: Path, ending: str) -> None:
    """See to it that a file to be written is called what it will be, so that no other is written over by mistake.

    Raises:
        UserError: its name ends otherwise.
    """
    if target.suffix.lower() != ending:
        raise UserError(f'found "{target}", expected a file name that ends in {ending}')


def as_typed(path: Path) -> str:
    """A path as one types it after a command; a word that stands for it where it cannot be typed."""
    text = str(path)
    if not text.isprintable():
        return "FILE"
    if text.startswith("-"):
        text = os.path.join(os.curdir, text)
    return subprocess.list2cmdline([text]) if os.name == "nt" else shlex.quote(text)


def _create(path: Path, *, like: Path) -> None:
    """An empty file that nobody had before, with the mode and the owner of the one that it is to replace."""
    try:
        old = like.stat()
    except FileNotFoundError:
        old = None
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666 if old is None else 0o600))
    if old is not None:
        new = path.stat()
        if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid) and hasattr(os, "chown"):
            with suppress(PermissionError):  # nobody but the administrator can give a file away
                os.chown(path, old.st_uid, old.st_gid)
        os.chmod(path, stat.S_IMODE(old.st_mode))


def _refuse_open_file(target: Path, place: Path) -> None:
    for lock in (place.with_name(f".~lock.{place.name}#"), place.with_name(f"~${place.name}")):
        if os.path.lexists(lock):
            raise UserError(
                f"{target}: is open in a spreadsheet program; close it there, or choose another file"
                f" (if it is not open, delete the left-over {lock.name})"
            )


def _refusal(target: Path, error: OSError) -> str:
    hint = "; is it open, or its folder protected?" if error.errno in _REFUSED else ""
    return f"{target}: cannot be written ({error.strerror}){hint}"
