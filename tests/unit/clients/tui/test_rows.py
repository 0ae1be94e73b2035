"""The board: what needs a person first, each ticket once, and in the daemon's order."""

from datetime import timedelta

from attrs import evolve

from clients.cli import marks
from clients.tui.paint import board_line
from clients.tui.rows import Heading, Note, Row, Section, arrived, layout_of, lines_of, rows_of
from clients.tui.world import without_review
from tests.unit.clients.cli.samples import NOW, ago
from tests.unit.clients.tui.worlds import agent, plan, ticket, world


def test_what_has_waited_longest_comes_first() -> None:
    found = rows_of(
        world(
            agents=[
                agent(1, since=ago(minutes=9)),
                agent(2, needs="It asks.", since=ago(seconds=20)),
                agent(3, needs="its plan waits", review=31, since=ago(seconds=1)),
            ],
            reviews=[plan(31, 3)],
            queue=[ticket(5, "queued"), ticket(4, "queued")],
            parked=[ticket(6, "parked", reason="blocked by ENG-5")],
            done=[ticket(7, "done")],
        )
    )
    assert list(found) == ["ENG-3", "ENG-2", "ENG-1", "ENG-5", "ENG-4", "ENG-6", "ENG-7"]
    assert [(row.section, row.mark, row.what) for row in list(found.values())[:3]] == [
        (Section.NEEDS_YOU, marks.REVIEW, "plan"),
        (Section.NEEDS_YOU, marks.NEEDS_YOU, "input"),
        (Section.RUNNING, marks.RUNNING, "build 2/4"),
    ]
    assert found["ENG-6"].tail == "blocked by ENG-5"


def test_a_branch_that_waits_without_an_agent_needs_a_person() -> None:
    waits = ticket(1, "awaiting", agent_id="ENG-1~1")
    review = evolve(plan(8, 1), kind="pr", plan=None)
    row = rows_of(world(awaiting=[waits], reviews=[review]))["ENG-1"]
    assert (row.section, row.what, row.review, row.agent) == (Section.NEEDS_YOU, "pr", 8, "ENG-1~1")


def test_a_ticket_stands_on_the_board_once() -> None:
    retired = evolve(agent(1), phase="retired")
    found = rows_of(evolve(world(done=[ticket(1, "done")]), agents={retired.id: retired}))
    assert {key: row.section for key, row in found.items()} == {"ENG-1": Section.DONE}


def test_a_decided_review_needs_nobody_before_it_is_read_again() -> None:
    review = plan(31, 1)
    before = world(agents=[agent(1, needs="its plan waits", review=31)], reviews=[review])
    after = rows_of(without_review(before, review))
    assert after["ENG-1"].section is Section.RUNNING


def test_a_filter_wants_all_words_anywhere() -> None:
    rows = rows_of(world(queue=[ticket(1, "queued"), ticket(2, "queued", type="FEAT")])).values()
    assert layout_of(rows, "feat title")[Section.QUEUE] == ("ENG-2",)
    assert layout_of(rows, "nothing like it")[Section.QUEUE] == ()


def test_empty_sections_say_so() -> None:
    lines = lines_of(layout_of([]), {})
    assert [line.text for line in lines if isinstance(line, Note)] == [
        "nothing needs you", "no agent is at work", "no ticket waits; n adds one", "nothing yet",
    ]  # fmt: skip
    assert [line.count for line in lines if isinstance(line, Heading)] == [0, 0, 0, 0]


def test_what_arrives_is_told_from_what_was_there() -> None:
    before = layout_of(rows_of(world(agents=[agent(1, needs="x")])).values())
    after = layout_of(rows_of(world(agents=[agent(1, needs="x"), agent(2, needs="y")])).values())
    assert arrived(before, after) == ("ENG-2",)


def test_a_line_is_as_wide_as_the_board_whatever_its_title() -> None:
    titles = ["日本語" * 40, "e\u0301" * 90, "\x1b[31mred\x07", "👨‍👩‍👧" * 30, "שלום", "[bold]x[/]", "x" * 500]
    for title in titles:
        for columns in (40, 64, 120):
            row = rows_of(world(queue=[evolve(ticket(1, "queued"), title=title)]))["ENG-1"]
            strip = board_line(row, columns, True, NOW + timedelta(minutes=4), 6)
            assert strip.cell_length == columns, (title, columns)
            assert "\x1b" not in strip.text
            assert "\x07" not in strip.text


def test_the_selected_line_is_told_without_colour() -> None:
    row = rows_of(world(queue=[ticket(1, "queued")]))["ENG-1"]
    assert isinstance(row, Row)
    chosen, other = (board_line(row, 40, selected, NOW, 6) for selected in (True, False))
    assert (chosen.text[0], other.text[0]) == ("▸", " ")
