"""The pictures of the README: sheets of the workbooks in output/, as a laptop's LibreOffice shows them.

`make pictures` gives it a screen of a laptop's size that nobody sees. Needs xvfb, xdotool and ImageMagick beside
LibreOffice.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from xlbackprop.ground.grid import quoted
from xlbackprop.network.templates import names

HOUSE = Path(__file__).parent.parent
WIDTH, HEIGHT = 1366, 768
ABOVE, BELOW, RIGHT = 104, 46, 40
"""Pixels of the window that are LibreOffice's own: its bars above, its tabs below, its side bar."""
SHEETS: Mapping[str, tuple[str, ...]] = {
    "classic": ("Start here", "Walkthrough", "Network", "Step by step", "Matrices", "Learning rates"),
    "classic-01-99": ("Network",),
    "mazur": ("Walkthrough",),
    "mazur-biases": ("Network",),
    "optimisers": ("Optimisers",),
}
"""The sheets that are shown of a template; of the others Predictions, the picture that it promises."""
MIDDLE: Mapping[str, tuple[str, str]] = {"Optimisers": ("A200", "A32")}
"""A cell far away, and then the one that LibreOffice shows in the middle when it comes from there, of a sheet whose
picture lies below its first screen."""


def main() -> int:
    """Take every picture; the names of templates as arguments take theirs only."""
    wanted = sys.argv[1:] or list(names())
    for template in wanted:
        with window(HOUSE / "output" / f"{template}.xlsx"):
            for sheet in SHEETS.get(template, ("Predictions",)):
                take(sheet, HOUSE / "docs" / "pictures" / f"{template}-{sheet.lower().replace(' ', '-')}.png")
    return 0


@contextmanager
def window(workbook: Path) -> Iterator[None]:
    """LibreOffice with a workbook, as large as the screen."""
    with tempfile.TemporaryDirectory() as folder:
        opened = Path(shutil.copy(workbook, folder))  # beside the original it would leave a lock behind
        profile = f"-env:UserInstallation={Path(folder, 'profile').as_uri()}"
        program = subprocess.Popen(
            ["soffice", profile, "--norestore", "--nologo", "--nofirststartwizard", str(opened)],
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            found = waited(workbook.name)
            do("windowsize", found, str(WIDTH), str(HEIGHT))
            do("windowmove", found, "0", "0")
            do("key", "Escape")
            yield
        finally:
            os.killpg(program.pid, 9)


def waited(title: str) -> str:
    """The window whose title is like this, once it is there and has drawn itself."""
    for _ in range(120):
        found = subprocess.run(
            ["xdotool", "search", "--onlyvisible", "--name", title], capture_output=True, text=True, check=False
        )
        if found.stdout:
            time.sleep(6)
            return found.stdout.split()[0]
        time.sleep(1)
    raise TimeoutError(f"no window {title}")


def take(sheet: str, picture: Path) -> None:
    """Go to the top of a sheet, or where its picture is, and take its picture."""
    for cell in MIDDLE.get(sheet, ("A1",)):
        do("key", "ctrl+shift+t")
        do("key", "ctrl+a")
        do("type", "--delay", "20", f"${quoted(sheet)}.{cell}")
        do("key", "Return")
        time.sleep(4)
    picture.parent.mkdir(exist_ok=True)
    visible = f"{WIDTH - RIGHT}x{HEIGHT - ABOVE - BELOW}+0+{ABOVE}"
    subprocess.run(["import", "-window", "root", "-crop", visible, "+repage", str(picture)], check=True)
    subprocess.run(["mogrify", "-strip", "-dither", "None", "-colors", "128", str(picture)], check=True)


def do(*action: str) -> None:
    """One action of the keyboard or on a window."""
    subprocess.run(["xdotool", *action], check=True)
    time.sleep(0.5)


if __name__ == "__main__":
    raise SystemExit(main())
