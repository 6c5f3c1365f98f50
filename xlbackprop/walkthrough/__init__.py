"""One training told for a reader, whatever it is written into."""

from xlbackprop.walkthrough.arrangement import COLUMN_WIDTH, SCREEN, Arrangement, PlacedBox
from xlbackprop.walkthrough.boxes import equation
from xlbackprop.walkthrough.computational_graph import Line, Link, Picture, picture
from xlbackprop.walkthrough.diagram import TOP_ROW, Arrow, Diagram
from xlbackprop.walkthrough.lesson import Lesson
from xlbackprop.walkthrough.loss_curve import LossCurve
from xlbackprop.walkthrough.paper import PAPER_WIDTH, on_paper
from xlbackprop.walkthrough.path import Path, paths
from xlbackprop.walkthrough.size import fit
from xlbackprop.walkthrough.slips import MOST_SLIPS, LikelySlip, likely_slips, usual_slip
from xlbackprop.walkthrough.steps import GIVEN, UPDATE_HEADING, Given, givens, moment, sections, updated_name, updates
from xlbackprop.walkthrough.table import (
    DATA,
    FIRST_SAMPLE_ROW,
    MOST_SYMBOLS,
    SETTING_COLUMN,
    Table,
    compact,
    curve_column,
)
