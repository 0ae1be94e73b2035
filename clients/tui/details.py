"""The page about the selected row. What a person has before their eyes does not change under them."""

from datetime import UTC, datetime
from time import monotonic

from attrs import evolve
from rich.segment import Segment
from textual.strip import Strip

from clients.tui.lines import Lines
from clients.tui.page import Subject, strips_of
from clients.tui.paint import ROLES
from clients.tui.rows import Row
from clients.tui.screens import text_strips
from clients.tui.world import World
from supervisor.domain.views import ReviewView, TicketDetail

READABLE = 0.7
"""Seconds that a review must have been shown before a verdict counts, where it came by itself."""


class Details(Lines):
    """Shows one subject."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.subject: Subject | None = None
        self.over = False
        """The review that is shown is pending no more."""
        self._came = 0.0
        self._said: list[str] = []

    @property
    def key(self) -> str | None:
        """The ticket that it is about."""
        return self.subject.row.key if self.subject is not None else None

    @property
    def fresh(self) -> bool:
        """The review came by itself, a moment ago: a key that is pressed now was meant for something else."""
        return monotonic() - self._came < READABLE

    def about(self, row: Row, world: World, history: tuple[str, ...]) -> bool:
        """Show this row; whether another one was shown before."""
        review = world.reviews.get(row.review) if row.review is not None else None
        agent = world.agents.get(row.agent) if row.agent is not None else None
        old = self.subject
        if old is None or old.row.key != row.key:
            self._came, self.over = 0.0, False
            self._draw(Subject(row, review, agent, history=history))
            return True
        if old.review is not None:
            self.over = old.review.id not in world.reviews
            review = world.reviews.get(old.review.id, old.review)
        elif review is not None:
            self._came = monotonic()
        self._draw(Subject(row, review, agent, old.ticket, history), keep=old.review is not None or review is None)
        return False

    def add_ticket(self, ticket: TicketDetail) -> None:
        """The ticket's text has come."""
        if self.subject is not None and self.subject.row.key == ticket.id:
            self._draw(evolve(self.subject, ticket=ticket), keep=True)

    def say(self, lines: list[str]) -> None:
        """There is no row: say this instead."""
        if self.subject is not None or lines != self._said:
            self.subject, self._said = None, lines
            self.show(text_strips(lines))

    def let_go(self) -> None:
        """The person is through with what is shown: what comes after it may be shown."""
        self.subject, self.over = None, False

    @property
    def review(self) -> ReviewView | None:
        """What a verdict is about: the review on the screen, and no other."""
        return self.subject.review if self.subject is not None else None

    def on_resize(self) -> None:
        if self.subject is not None:
            self._draw(self.subject, keep=True)

    def _draw(self, subject: Subject, keep: bool = False) -> None:
        if keep and subject == self.subject and self.strips and not self._resized():
            return
        self.subject = subject
        self._drawn_for = self.room
        strips = strips_of(subject, self.room - 1, datetime.now(UTC))
        if self.over:
            text = "This is decided or superseded by now; tab shows what waits."
            strips.insert(0, Strip([Segment(text, ROLES["attention"])]))
        self.show(strips, keep=keep)

    def _resized(self) -> bool:
        return self._drawn_for != self.room

    _drawn_for = 0
