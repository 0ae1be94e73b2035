"""`operator init --board`: what it asks a board, what it shows, and what it writes; and `operator sync --pending`."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from supervisor.configfile import load_config
from supervisor.domain.ticket import BoardState
from tests.e2e.test_boards import TASK, join
from tests.fakes.boards.sites import SITES, Site
from tests.fakes.desk import operator
from tests.harness import Place

OPTIONS = {
    "linear": ("--board", "linear", "--team", "ENG"),
    "jira": ("--board", "jira", "--email", "robot@example.org", "--key", "ENG"),
    "github": ("--board", "github", "--repo", "acme/api"),
    "github project": ("--board", "github", "--repo", "acme/7"),
}


@pytest.fixture(params=list(SITES))
async def site(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    async with SITES[request.param]() as made:
        yield made


def address(site: Site) -> str:
    return next(line.split('"')[1] for line in site.config.splitlines() if line.startswith("base_url"))


async def test_a_board_is_tried_out_shown_and_written(tmp_path: Path, site: Site) -> None:
    for n in range(12):
        site.add(f"Issue {n}", labels=("agent",) if n else ())
    site.move(site.add("Over", labels=("agent",)), BoardState.DONE)
    options = (*OPTIONS[site.name], "--base-url", address(site), "--path", str(tmp_path), "--label", "agent")
    ran = await operator("init", *options, **site.env)
    assert ran.code == 0, ran.err
    assert "It would take up 11:" in ran.out
    assert ran.out.count("Issue ") == 10
    assert "and 1 more" in ran.out
    text = (tmp_path / "operator.toml").read_text()
    assert site.token not in text + ran.out
    [(_, made)] = load_config(tmp_path / "operator.toml").config.collections.items()
    assert (made.labels, made.token_env) == (("agent",), next(iter(site.env)))
    assert all(site.writes(each) == 0 for each in getattr(site, "issues", {}))


async def test_a_token_that_is_wrong_writes_nothing(tmp_path: Path, site: Site) -> None:
    options = (*OPTIONS[site.name], "--base-url", address(site), "--path", str(tmp_path))
    ran = await operator("init", *options, **dict.fromkeys(site.env, "wrong-token"))
    assert (ran.code, "does not accept the token" in ran.err) == (1, True), ran.err
    assert "wrong-token" not in ran.err
    missing = await operator("init", *options)
    assert (missing.code, next(iter(site.env)) in missing.err) == (1, True)
    assert list(tmp_path.iterdir()) == []
    untested = await operator("init", *options, "--untested")
    assert untested.code == 0
    assert f"Set {next(iter(site.env))}" in untested.out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--board", "linear"), "linear needs --team"),
        (("--board", "jira", "--email", "me@x"), "jira needs --base-url --key"),
        (("--board", "github"), "github needs --repo"),
        (("--board", "jira", "--base-url", "http://x.example", "--email", "a", "--key", "E"), "plain http is for"),
    ],
)
async def test_what_is_missing_is_named_as_options(tmp_path: Path, options: tuple[str, ...], says: str) -> None:
    ran = await operator("init", *options, "--path", str(tmp_path))
    assert (ran.code, says in ran.err) == (1, True), ran.err
    assert list(tmp_path.iterdir()) == []


async def test_pending_writes_have_their_age_and_cause(place: Place) -> None:
    async with SITES["linear"]() as site:
        join(place, site)
        issue = site.add("A task", "rehearse: think 1\n" + TASK)
        await place.start()
        await place.until(lambda event: event["kind"] == "ticket.created")
        site.trouble("cut", 100_000)
        await place.until_over(site.key(issue))
        state = {"OPERATOR_STATE_DIR": str(place.state)}
        with trio.fail_after(20):
            while "broke" not in (ran := await operator("sync", "--pending", **state)).out:
                assert ran.code == 0, ran.err
        assert site.key(issue) in ran.out
        synced = await operator("sync", "backend", **state)
        assert (synced.code, "cannot be reached" in synced.err or "broke" in synced.err) == (1, True), synced.err
        status = await operator("status", **state)
        assert "to the board pending for" in status.out
        site.calm()
        await operator("sync", "backend", **state)
        with trio.fail_after(60):
            while "know everything" not in (await operator("sync", "--pending", **state)).out:  # noqa: ASYNC110
                await trio.sleep(0.2)
