"""Marks and what a terminal can show."""

import io

import pytest
from attrs import evolve

from clients.cli import marks
from clients.cli.terminal import Terminal, terminal
from supervisor.domain.views import StateView
from tests.unit.clients.cli.samples import AGENT, NOW


class Tty(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def tty(encoding: str) -> Tty:
    return Tty(io.BytesIO(), encoding=encoding)


@pytest.mark.parametrize(("encoding", "signs"), [("utf-8", True), ("ascii", False), ("latin-1", False)])
def test_signs_are_for_encodings_that_have_them(encoding: str, signs: bool) -> None:
    assert terminal(tty(encoding), {}).signs is signs


def test_colour_needs_a_terminal_and_no_wish_against_it() -> None:
    assert terminal(tty("utf-8"), {"TERM": "xterm"}).color
    assert not terminal(tty("utf-8"), {"TERM": "xterm", "NO_COLOR": "1"}).color
    assert not terminal(tty("utf-8"), {"TERM": "dumb"}).color
    assert not terminal(io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), {"TERM": "xterm"}).color


def test_what_goes_into_a_program_is_not_cut() -> None:
    assert terminal(io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), {}).columns >= 1000


def test_every_mark_has_an_ascii_likeness() -> None:
    for mark in (*marks.TICKETS.values(), *marks.AGENTS.values()):
        assert mark.ascii.isascii()
        assert Terminal(signs=False).mark(mark) == mark.ascii


def test_an_unknown_state_is_a_word_too() -> None:
    assert marks.of_ticket("hibernating") is marks.LOST
    assert marks.of_agent(evolve(AGENT, state=StateView("dreaming", NOW, "hook", ""))) is marks.LOST


def test_an_exit_is_done_only_if_the_work_is() -> None:
    over = evolve(AGENT, state=StateView("exited", NOW, "exit", "exit 0"), status="completed")
    assert marks.of_agent(over) is marks.DONE
    assert marks.of_agent(evolve(over, status="failed")) is marks.FAILED
