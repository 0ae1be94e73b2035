"""What `operator config` and `operator init` say, and that the examples are right."""

import subprocess
from pathlib import Path
from typing import Any

import attrs
import pytest

from clients.cli.config import doubtful, settings
from clients.cli.init import AGENTS, Found, look, make_board, render
from supervisor.configfile import load_config
from supervisor.domain import config as configs
from supervisor.domain.config_reader import read_config

EXAMPLES = Path(__file__).resolve().parents[4] / "examples"


def test_the_example_passes_and_names_every_key() -> None:
    text = (EXAMPLES / "operator.toml").read_text("utf-8")
    assert load_config(EXAMPLES / "operator.toml").config.types["DOCS"].steps[0].name == "write"
    kinds = (
        configs.DaemonConfig,
        configs.QueueConfig,
        configs.SessionsConfig,
        configs.ProjectConfig,
        configs.DriverConfig,
        configs.CollectionConfig,
        configs.StepConfig,
        configs.TypeConfig,
    )
    for kind in kinds:
        for field in attrs.fields(kind):
            assert f"{field.name} = " in text or f".{field.name}]]" in text, f"{kind.__name__}.{field.name}"


def test_the_example_shows_the_defaults_truly() -> None:
    config = load_config(EXAMPLES / "operator.toml").config
    default = configs.Config()
    assert attrs.evolve(config.daemon, state_dir=None) == default.daemon
    assert attrs.evolve(config.queue, driver=None, project=None) == default.queue
    assert config.sessions == default.sessions
    assert config.projects["app"] == configs.ProjectConfig(config.projects["app"].path)
    assert attrs.evolve(config.drivers["claude"], quit=None, kind="command") == configs.DriverConfig(("claude",))


@pytest.mark.parametrize("repository", [None, ".", ".."])
@pytest.mark.parametrize("count", [0, 1, 5])
def test_what_init_writes_is_right(repository: str | None, count: int) -> None:
    config = read_config(render(Found(repository, "some-name_1", AGENTS[:count])))
    assert list(config.drivers) == [each.name for each in AGENTS[:count]]
    assert config.queue.driver == (AGENTS[0].name if count > 1 else None)
    assert list(config.projects) == ([] if repository is None else ["some-name_1"])
    assert config.collections["tickets"].path == "tickets"


def test_init_finds_the_repository_around(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path / "my app"], check=True)
    inside = tmp_path / "my app" / "ops"
    inside.mkdir()
    found = look(inside)
    assert (found.repository, found.name) == ("..", "my-app")
    assert look(tmp_path).repository is None


def test_an_example_ticket_is_added_once(tmp_path: Path) -> None:
    board = make_board(tmp_path / "tickets", example=True)
    ticket = board / "queue/say-hello.md"
    ticket.rename(board / "completed/say-hello.md")
    make_board(board, example=True)
    assert not ticket.exists()


def test_settings_say_where_they_come_from_and_keep_secrets(tmp_path: Path) -> None:
    path = tmp_path / "operator.toml"
    path.write_text('[queue]\nmax_agents = 2\n[drivers.x]\ncommand = ["x"]\nenv = {KEY = "hunter2"}\n')
    found: dict[str, tuple[Any, str]] = {key: (value, origin) for key, value, origin in settings(load_config(path))}
    assert found["queue.max_agents"] == (2, "file")
    assert found["queue.max_attempts"] == (3, "default")
    assert found["queue.retry_base"] == ("10 s", "default")
    assert found["drivers.x.command"] == (["x"], "file")
    assert found["drivers.x.env.KEY"][1] == "file"
    assert "hunter2" not in str(found)


def test_doubts_are_about_this_machine(tmp_path: Path) -> None:
    path = tmp_path / "operator.toml"
    path.write_text(
        '[projects.a]\npath = "gone"\n[drivers.x]\ncommand = ["no-such-program-anywhere"]\n'
        '[collections.c]\nprovider = "local"\npath = "board"\n'
    )
    found = dict(doubtful(load_config(path).config))
    assert set(found) == {"projects.a.path", "drivers.x.command", "collections.c.path"}
    assert set(dict(doubtful(configs.Config()))) == {"projects", "drivers", "collections"}
