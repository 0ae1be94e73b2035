"""Every act once: its key, its place in palette and help, and something that does it."""

from clients.api.locate import Where
from clients.tui.app import OperatorApp
from clients.tui.commands import COMMANDS, footer, help_lines
from clients.tui.daemons import Daemon


def nowhere() -> Where:
    raise AssertionError("nothing is looked for")


def test_keys_and_names_are_used_once() -> None:
    keys = [key for each in COMMANDS for key in each.key.split(",")]
    assert len(keys) == len(set(keys))
    assert len({each.name for each in COMMANDS}) == len(COMMANDS)


def test_each_is_done_by_something() -> None:
    app = OperatorApp([Daemon("here", nowhere)])
    done = {*app.own, *app.acts.by_name, "daemon"}
    assert {each.name for each in COMMANDS} == done


def test_the_help_names_every_one_and_the_footer_fits() -> None:
    text = "\n".join(help_lines())
    assert all(each.title in text for each in COMMANDS)
    assert all(len(footer(columns)) <= columns for columns in range(20, 201))
    assert all(f" {word}" in footer(80) for word in ("approve", "reject", "attach", "peek", "prompt", "sync", "help"))


def test_the_five_operations_have_their_words() -> None:
    titles = {each.key: each.title for each in COMMANDS}
    assert (titles["P"], titles["R"]) == ("Pause Queue Processing", "Resume Queue Processing")
