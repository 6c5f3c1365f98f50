"""One training told for a reader, whatever it is written into."""

from xlbackprop.walkthrough.arrangement import COLUMN_WIDTH, Arrangement, PlacedBox, arrange
from xlbackprop.walkthrough.diagram import TOP_ROW, Arrow, Diagram
from xlbackprop.walkthrough.lesson import Lesson
from xlbackprop.walkthrough.size import fit
from xlbackprop.walkthrough.steps import GIVEN, UPDATE, Given, givens, moment, sections, updated_name, updates
from xlbackprop.walkthrough.table import DATA, FIRST_SAMPLE_ROW, LONGEST_FORMULA, SETTING_COLUMN, WALKTHROUGH, Table

__all__ = [
    "COLUMN_WIDTH",
    "DATA",
    "FIRST_SAMPLE_ROW",
    "GIVEN",
    "LONGEST_FORMULA",
    "SETTING_COLUMN",
    "TOP_ROW",
    "UPDATE",
    "WALKTHROUGH",
    "Arrangement",
    "Arrow",
    "Diagram",
    "Given",
    "Lesson",
    "PlacedBox",
    "Table",
    "arrange",
    "fit",
    "givens",
    "moment",
    "sections",
    "updated_name",
    "updates",
]
