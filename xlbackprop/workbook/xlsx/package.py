"""The parts that hold a file together: what it is, which sheets and names it has, and what refers to what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from xlbackprop.workbook.xlsx.book import Workbook
from xlbackprop.workbook.xlsx.frame import Frame
from xlbackprop.workbook.xlsx.spelling import (
    DECLARATION,
    DRAWING,
    MAIN,
    OFFICE,
    PACKAGE,
    REFERENCES,
    SOLID,
    escaped,
    in_attribute,
)

APPLICATION = (
    f'{DECLARATION}<Properties xmlns="{OFFICE}/extended-properties">'
    "<Application>Microsoft Excel Compatible / xlbackprop</Application></Properties>"
)
"""What made the file: LibreOffice trusts the values that one which begins like this holds."""
_NO_TIME = "2000-01-01T00:00:00Z"
"""The real time of writing would make equal workbooks differ."""
_OWN_PROPERTIES = "{D5CDD505-2E9C-101B-9397-08002B2CF9AE}"
"""The set that all properties belong to which a reader may add."""

ROOT = (
    ("officeDocument", "xl/workbook.xml"),
    (f"{PACKAGE}/relationships/metadata/core-properties", "docProps/core.xml"),
    ("extended-properties", "docProps/app.xml"),
    ("custom-properties", "docProps/custom.xml"),
)
"""Where a program begins to read."""


def core_properties(workbook: Workbook) -> str:
    """The part that tells the title, the description and the language."""
    times = "".join(
        f'<dcterms:{name} xsi:type="dcterms:W3CDTF">{_NO_TIME}</dcterms:{name}>' for name in ("created", "modified")
    )
    return (
        f'{DECLARATION}<cp:coreProperties xmlns:cp="{PACKAGE}/metadata/core-properties"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><dc:creator>xlbackprop</dc:creator>'
        f"<dc:title>{escaped(workbook.title)}</dc:title><dc:description>{escaped(workbook.description)}"
        f"</dc:description><dc:language>en</dc:language>{times}</cp:coreProperties>"
    )


def custom_properties(properties: Mapping[str, str]) -> str:
    """The part of the workbook's own properties."""
    elements = [
        f'<property name="{in_attribute(name)}" fmtid="{_OWN_PROPERTIES}" pid="{number}">'
        f"<vt:lpwstr>{escaped(text)}</vt:lpwstr></property>"
        for number, (name, text) in enumerate(properties.items(), 2)
    ]
    spaces = f'xmlns="{OFFICE}/custom-properties" xmlns:vt="{OFFICE}/docPropsVTypes"'
    return f"{DECLARATION}<Properties {spaces}>{''.join(elements)}</Properties>"


def book(frames: Sequence[Frame], names: Mapping[str, str]) -> str:
    """The part that lists the sheets and the names."""
    sheets = [
        f'<sheet name="{in_attribute(each.title)}" sheetId="{number}"{_HIDDEN * each.is_hidden} r:id="rId{number}"/>'
        for number, each in enumerate(frames, 1)
    ]
    named = [f'<definedName name="{name}">{escaped(place)}</definedName>' for name, place in names.items()] + [
        f'<definedName name="{name}" localSheetId="{index}">{escaped(place)}</definedName>'
        for index, each in enumerate(frames)
        if each.paper
        for name, place in each.paper.names(each.title)
    ]
    joined = "".join(named)
    return (
        f'{DECLARATION}<workbook xmlns="{MAIN}" xmlns:r="{REFERENCES}"><workbookPr/><bookViews><workbookView/>'
        f"</bookViews><sheets>{''.join(sheets)}</sheets>"
        f"{f'<definedNames>{joined}</definedNames>' if joined else ''}"
        '<calcPr calcId="124519" fullCalcOnLoad="1"/></workbook>'
    )


_HIDDEN = ' state="hidden"'


def relationships(targets: Iterable[tuple[str, str]]) -> str:
    """The part that tells what another one refers to as rId1, rId2 …: what each is, and where, seen from there."""
    elements = [
        f'<Relationship Type="{kind if "/" in kind else f"{REFERENCES}/{kind}"}" Target="{target}" Id="rId{number}"/>'
        for number, (kind, target) in enumerate(targets, 1)
    ]
    return f'{DECLARATION}<Relationships xmlns="{PACKAGE}/relationships">{"".join(elements)}</Relationships>'


def content_types(types: Mapping[str, str]) -> str:
    """The part that tells what the other parts are, by their paths."""
    elements = [f'<Override PartName="/{path}" ContentType="application/{kind}+xml"/>' for path, kind in types.items()]
    return (
        f'{DECLARATION}<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{"".join(elements)}</Types>'
    )


_FILLED = '<a:solidFill><a:schemeClr val="phClr"/></a:solidFill>'


def _theme() -> str:
    """The theme of Office 2007, from which charts take the colours and fonts that they do not tell themselves."""
    system = {"dk1": ("windowText", "000000"), "lt1": ("window", "FFFFFF")}
    colours = {
        "dk2": "1F497D",
        "lt2": "EEECE1",
        "accent1": "4F81BD",
        "accent2": "C0504D",
        "accent3": "9BBB59",
        "accent4": "8064A2",
        "accent5": "4BACC6",
        "accent6": "F79646",
        "hlink": "0000FF",
        "folHlink": "800080",
    }
    elements = [
        f'<a:{name}><a:sysClr val="{role}" lastClr="{colour}"/></a:{name}>' for name, (role, colour) in system.items()
    ]
    elements += [f'<a:{name}><a:srgbClr val="{colour}"/></a:{name}>' for name, colour in colours.items()]
    fonts = [
        f'<a:{kind}Font><a:latin typeface="{name}"/><a:ea typeface=""/><a:cs typeface=""/></a:{kind}Font>'
        for kind, name in (("major", "Cambria"), ("minor", "Calibri"))
    ]
    lines = [
        f'<a:ln w="{width}" cap="flat" cmpd="sng" algn="ctr">{_FILLED}{SOLID}</a:ln>' for width in (9525, 25400, 38100)
    ]
    return (
        f'{DECLARATION}<a:theme xmlns:a="{DRAWING}" name="Office Theme"><a:themeElements><a:clrScheme name="Office">'
        f'{"".join(elements)}</a:clrScheme><a:fontScheme name="Office">{"".join(fonts)}</a:fontScheme>'
        f'<a:fmtScheme name="Office"><a:fillStyleLst>{3 * _FILLED}</a:fillStyleLst><a:lnStyleLst>{"".join(lines)}'
        f"</a:lnStyleLst><a:effectStyleLst>{3 * '<a:effectStyle><a:effectLst/></a:effectStyle>'}</a:effectStyleLst>"
        f"<a:bgFillStyleLst>{3 * _FILLED}</a:bgFillStyleLst></a:fmtScheme></a:themeElements></a:theme>"
    )


THEME = _theme()
