"""Files are written beside their place and moved there when they are complete, so that there is never half a file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xlbackprop.errors import UserError


@contextmanager
def written_beside(target: Path) -> Iterator[Path]:
    """A path to write to, in the target's folder; what stands there in the end takes the target's place.

    Raises:
        UserError: the target cannot be written, or is open in a spreadsheet program; what was there is untouched.
    """
    _refuse_protected_file(target)
    beside = ""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(prefix=f".{target.stem}-", suffix=target.suffix, dir=target.parent)
        os.close(handle)
        os.chmod(beside, 0o666 & ~_umask())
        yield Path(beside)
        os.replace(beside, target)
    except OSError as error:
        reason = f"cannot be written ({error.strerror}); is it open, or its folder protected?"
        raise UserError(f"{target}: {reason}") from error
    finally:
        if beside and os.path.exists(beside):
            os.remove(beside)


def _refuse_protected_file(path: Path) -> None:
    if path.exists() and not os.access(path, os.W_OK):
        raise UserError(f"{path}: is protected against writing; choose another file")
    for lock in (path.with_name(f".~lock.{path.name}#"), path.with_name(f"~${path.name}")):
        if lock.exists():
            raise UserError(
                f"{path}: is open in a spreadsheet program; close it there, or choose another file"
                f" (if it is not open, delete the left-over {lock.name})"
            )


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
