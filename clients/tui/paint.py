"""Colours and columns of what is shown. Colours are the terminal's own, and never tell anything alone. Pure."""

from datetime import datetime

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from clients.cli import marks
from clients.cli.text import cut, pad, width
from clients.cli.times import since
from clients.tui.rows import Heading, Line, Note, Row, Section

ROLES = {
    "": Style.null(),
    "muted": Style(dim=True),
    "info": Style(color="cyan"),
    "ok": Style(color="green"),
    "attention": Style(color="yellow", bold=True),
    "error": Style(color="red"),
    "strong": Style(bold=True),
}
_TYPES = {name: Style(color=color) for name, color in marks.TYPES.items()}
_CALL = Style(color="yellow", bold=True, reverse=True)
_WIDE = 64
"""Columns from which on a row has room for more than its title."""


def board_line(line: Line, columns: int, selected: bool, now: datetime, id_columns: int) -> Strip:
    """One line of the board."""
    match line:
        case Heading(section=section, count=count):
            strip = _heading(section, count, columns)
        case Note(text=text):
            strip = Strip([Segment(cut(f"   {text}", columns), ROLES["muted"])])
        case Row():
            strip = Strip(_row(line, columns, selected, now, id_columns))
    strip = strip.adjust_cell_length(columns)
    return strip.apply_style(Style(reverse=True)) if selected else strip


def _heading(section: Section, count: int, columns: int) -> Strip:
    text = f" {section.upper()} ({count}) " if count else f" {section.upper()} "
    style = _CALL if section is Section.NEEDS_YOU and count else ROLES["strong"]
    rule = "─" * max(columns - width(text), 0)
    return Strip([Segment(cut(text, columns), style), Segment(rule, ROLES["muted"])])


def _row(row: Row, columns: int, selected: bool, now: datetime, id_columns: int) -> list[Segment]:
    what_columns = 10 if columns < _WIDE else 12
    parts = [
        Segment("▸" if selected else " "),
        Segment(row.mark.sign, ROLES[row.mark.role]),
        Segment(f" {pad(cut(row.key, id_columns), id_columns)} ", ROLES["strong"]),
    ]
    if row.section is Section.QUEUE:
        parts.append(Segment(pad(cut(row.type, 5), 6), _TYPES.get(row.type, Style.null())))
    else:
        parts.append(Segment(pad(cut(row.what, what_columns), what_columns + 1)))
        parts.append(Segment(pad(since(row.since, now), 6, right=True) + " ", ROLES["muted"]))
    room = columns - sum(segment.cell_length for segment in parts)
    return [*parts, *_text(row, room)] if room > 0 else parts


def _text(row: Row, room: int) -> list[Segment]:
    """As much as there is room for: who works on it, what it says, what it is."""
    if room < _WIDE - 30 or not (row.tail or row.driver):
        says = row.section is Section.RUNNING or row.mark is marks.PARKED
        return [Segment(cut((row.tail or row.title) if says else row.title, room))]
    title_room = max(room * 2 // 5, 20)
    who = f"{row.driver}  " if row.driver else ""
    title = pad(cut(row.title, title_room), title_room)
    rest = cut(f"  {who}{row.tail}", max(room - title_room, 0))
    return [Segment(title), Segment(rest, ROLES["muted"])]
