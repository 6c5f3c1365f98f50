"""A number that a reader types: what its cell takes, and what is made of whatever stands there."""

from __future__ import annotations

from msgspec import Struct

from xlbackprop.workbook.xlsx.page import Page


class Entry(Struct, frozen=True):
    """A cell for a number between two bounds."""

    cell: str
    title: str
    """Stands over the refusal of anything else."""
    least: float
    most: float
    is_whole: bool = False
    is_optional: bool = False

    def limit(self, page: Page) -> None:
        """Let the cell take only such a number."""
        page.limit(self.cell, self.title, self.least, self.most, whole=self.is_whole, optional=self.is_optional)

    def used(self, otherwise: float | str) -> str:
        """The formula of the number as it is used: between the bounds, and `otherwise` where there is none."""
        fallback = otherwise if isinstance(otherwise, str) else f"{otherwise:.15G}"
        number = f"MAX({self.least:.15G},MIN({self.most:.15G},{self.cell}))"
        return f"IF(ISNUMBER({self.cell}),{f'INT({number})' if self.is_whole else number},{fallback})"
