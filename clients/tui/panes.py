"""Which panes there is room for. Pure."""

from attrs import frozen

NARROW, WIDE = 72, 150
"""Columns below which one pane is shown, and from which on three are."""


@frozen
class Panes:
    board: bool
    details: bool
    peek: bool
    board_columns: int | None
    """None: all of them."""


def panes(columns: int, *, zoomed: bool, peeking: bool | None, nothing_yet: bool) -> Panes:
    """`peeking`: a person's wish; None: as there is room. `nothing_yet`: no daemon was ever heard."""
    peek = columns >= WIDE if peeking is None else peeking
    if zoomed or nothing_yet:
        return Panes(board=False, details=True, peek=False, board_columns=None)
    if columns < NARROW:
        return Panes(board=not peek, details=False, peek=peek, board_columns=None)
    three = columns >= WIDE
    return Panes(board=True, details=three or not peek, peek=peek, board_columns=76 if three else max(columns // 2, 42))
