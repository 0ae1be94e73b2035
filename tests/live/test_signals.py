"""The signals endpoint of a whole daemon: who may signal, what is no signal, and what hostile ones do to others."""

import base64
import json
import re
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from supervisor.domain.ids import AgentId
from supervisor.domain.tokens import agent_token
from tests.harness import ROOT, Event, Place

PROGRAM = """#!/bin/sh
printf '\\033[?2004h'
printf '{"status": "idle"}' >"$CLAUDE_CONFIG_DIR/sessions/$$.json"
exec cat >/dev/null
"""
"""An agent of which nothing is known but what this test says in its name: its status file and its hooks."""
Payload = dict[str, Any]


class Agents(Place):
    """A place whose agents' CLIs speak by what the test posts and writes for them."""

    def __init__(self, count: int = 2) -> None:
        super().__init__(max_agents=count)
        self.told = self.root / "told"
        (self.told / "sessions").mkdir(parents=True)
        program = self.root / "silent"
        program.write_text(PROGRAM)
        program.chmod(0o700)
        lines = self.config.read_text().replace("[projects.repo]\n", "[projects.repo]\nworktrees = false\n")
        begin, end = lines.index("[drivers.rehearsal]"), lines.index("[collections.board]")
        driver = (
            f'[drivers.silent]\nkind = "claude"\ncommand = ["{program}"]\nstop_grace = "500ms"\n'
            f'env = {{ CLAUDE_CONFIG_DIR = "{self.told}" }}\n\n'
        )
        step = '{ name = "do", prompt = "Please.", artifacts = ["never"], max_turns = 1 }'
        waits = f"\n[types.TASK]\nsteps = [{step}]\n"  # a turn's end only asks for a person
        self.config.write_text(lines[:begin] + driver + lines[end:] + waits)

    def settings(self, agent: str) -> Path:
        return self.state / "agents" / agent / "claude.json"

    def token_of(self, agent: str) -> str:
        """The token in the settings that the agent's CLI was given."""
        told = json.loads(self.settings(agent).read_text())
        [hook] = told["hooks"]["Stop"][0]["hooks"]
        assert hook["url"] == self.signals(agent)
        return str(hook["headers"]["Authorization"]).removeprefix("Bearer ")

    def signals(self, agent: str) -> str:
        return f"{self.url}/api/v1/agents/{agent}/signals"

    @asynccontextmanager
    async def at_work(self, *tickets: str) -> Any:
        """Have an agent for each ticket, with its prompt entered; a client that brings no token."""
        for name in tickets:
            self.ticket(name, "nothing")
        await self.start()
        for name in tickets:
            await self.until(lambda event, name=name: event["kind"] == "agent.running" and event["ticket"] == name)
        async with httpx2.AsyncClient(timeout=20) as stranger:
            yield stranger

    async def states(self) -> dict[str, dict[str, str]]:
        return {each["id"]: each["state"] for each in (await self.get("/agents"))["agents"]}

    async def name_of(self, agent: str) -> str:
        return str((await self.states())[agent]["name"])

    def write_status(self, pid: int, status: str) -> None:
        (self.told / "sessions" / f"{pid}.json").write_text(json.dumps({"status": status}))

    def pids(self) -> dict[str, int]:
        """Each agent's process."""
        found = {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    environ = dict(pair.partition(b"=")[::2] for pair in (folder / "environ").read_bytes().split(b"\0"))
                except OSError:
                    continue
                if environ.get(b"CLAUDE_CONFIG_DIR") == str(self.told).encode():
                    found[environ[b"OPERATOR_AGENT"].decode()] = int(folder.name)
        return found


@pytest.fixture
def agents() -> Iterator[Agents]:
    made = Agents()
    try:
        yield made
    finally:
        made.close()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def hook(event: str, **more: object) -> Payload:
    """A payload as Claude Code posts it."""
    return {"session_id": "s", "transcript_path": "/t", "cwd": "/c", "hook_event_name": event, **more}


ONE, TWO = "TASK-1~1", "TASK-2~1"
QUESTION = "It wants to use Bash: rm -r build"
ASKS = hook("Notification", notification_type="permission_prompt", message=QUESTION)
"""Not the hook whose answer is a person's decision: that one waits (`test_held_hooks.py`)."""


# --- who may signal ---------------------------------------------------------------------------------


async def test_an_agents_hook_moves_that_agent_and_no_other(agents: Agents) -> None:
    async with agents.at_work("TASK-1", "TASK-2") as stranger:
        before = await agents.states()
        answer = await stranger.post(agents.signals(ONE), json=ASKS, headers=bearer(agents.token_of(ONE)))
        assert (answer.status_code, answer.json()) == (200, {})
        assert answer.headers["content-type"] == "application/json"
        after = await agents.states()  # what was answered is true already
        assert (after[ONE]["name"], after[ONE]["source"], after[ONE]["evidence"]) == (
            "awaiting_input",
            "hook",
            QUESTION,
        )
        assert after[TWO] == before[TWO]


async def test_no_other_token_signals_an_agent(agents: Agents) -> None:
    async with agents.at_work("TASK-1", "TASK-2") as stranger:
        before = await agents.states()
        own = agents.token_of(ONE)
        wrong: list[dict[str, str]] = [
            {},
            *map(bearer, (agents.token_of(TWO), agents.token, own[:-1], own + "0", own.upper(), "é")),
            {"Authorization": f"Basic {base64.b64encode(own.encode()).decode()}"},
            {"Authorization": own},
            {"X-Token": own},
            {"Cookie": f"token={own}"},
        ]
        for headers in wrong:
            raw = {name.encode(): value.encode() for name, value in headers.items()}
            refused = await stranger.post(agents.signals(ONE), json=ASKS, headers=raw)
            assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized"), headers
            assert own not in refused.text
        for place in (TWO, "TASK-1", "TASK-1~2", "task-1~1", f"{ONE}%20", f"x%2F..%2F{ONE}", "%00", "~"):
            refused = await stranger.post(agents.signals(place), json=ASKS, headers=bearer(own))
            assert refused.status_code in (401, 404), place
        asked = await stranger.post(agents.signals(ONE) + f"?token={own}", json=ASKS)
        assert asked.status_code == 401
        assert await agents.states() == before


async def test_a_key_of_another_request_opens_no_door(agents: Agents) -> None:
    """Idempotency keys are the clients': an agent neither uses one nor is answered from one."""
    key = {"Idempotency-Key": "one-of-a-client"}
    async with agents.at_work("TASK-1") as stranger:
        own = {**bearer(agents.token_of(ONE)), **key}
        assert (await stranger.post(agents.signals(ONE), json=ASKS, headers=own)).status_code == 200
        assert (await stranger.post(agents.signals(ONE), json=ASKS, headers=key)).status_code == 401
        async with agents.client() as client:
            paused = await client.post("/queue/pause", json={}, headers=key)
            assert paused.status_code == 200, paused.text


async def test_an_agents_token_works_nowhere_else(agents: Agents) -> None:
    async with agents.at_work("TASK-1") as stranger:
        own = agents.token_of(ONE)
        paths = (await agents.get("/openapi.json"))["paths"]
        tried = Counter[int]()
        for path, operations in paths.items():
            place = re.sub(r"\{agent\}", ONE, path)
            place = re.sub(r"\{\w+\}", "TASK-1", place)
            for method in operations:
                if (method, place) in (("get", "/api/v1/health"), ("post", f"/api/v1/agents/{ONE}/signals")):
                    continue
                for body in ({}, None):
                    answer = await stranger.request(method, agents.url + place, json=body, headers=bearer(own))
                    assert answer.status_code == 401, (method, place, answer.text)
                    tried[answer.status_code] += 1
        assert tried[401] > 60
        upgrade = {
            "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode(),
        }  # fmt: skip
        stream = agents.stream_url.replace("ws://", "http://") + "/api/v1/activity?since=0"
        for offered in (bearer(own), {"Sec-WebSocket-Protocol": f"operator.v1, operator.bearer.{own}"}):
            async with httpx2.AsyncClient() as another:
                refused = await another.get(stream, headers={**upgrade, **offered})
            assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
        assert (await agents.get("/status"))["paused"] is False
        assert await agents.name_of(ONE) == "running"


async def test_agents_that_ended_and_agents_that_never_were(agents: Agents) -> None:
    async with agents.at_work("TASK-1") as stranger:
        own = bearer(agents.token_of(ONE))
        secret = (agents.state / "hook-secret").read_text().strip().encode()
        never = AgentId("TASK-7~1")
        unknown = await stranger.post(agents.signals(never), json=ASKS, headers=bearer(agent_token(secret, never)))
        assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
        await agents.post("/tickets/TASK-1/cancel")
        await agents.until(lambda event: event["kind"] == "agent.retired")
        ended = (await agents.states())[ONE]
        late = await stranger.post(agents.signals(ONE), json=hook("SessionEnd", reason="other"), headers=own)
        assert (late.status_code, late.json()["code"]) == (409, "session_gone")
        assert (await agents.states())[ONE] == ended
        assert ended["name"] == "exited"


# --- what is no signal ------------------------------------------------------------------------------


async def test_what_is_no_hook_is_refused_and_changes_nothing(agents: Agents) -> None:
    deep = b'{"hook_event_name":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    big = b'{"hook_event_name": "Stop", "x": "' + b"x" * 10_000_000 + b'"}'
    refusals: list[tuple[bytes, int, str]] = [
        (b"", 422, "invalid"),
        (b"Stop", 422, "invalid"),
        (b'{"hook_event_name": "Stop"', 422, "invalid"),
        (b'{"hook_event_name": "Stop", "x": NaN}', 422, "invalid"),
        (b'{"hook_event_name": "Stop", "x": "\\ud800"}', 422, "invalid"),
        (b'{"hook_event_name": "Stop", "x": "\xff"}', 422, "invalid"),
        (b'[{"hook_event_name": "Stop"}]', 422, "not_a_hook"),
        (b'"Stop"', 422, "not_a_hook"),
        (b"1" * 5000, 422, "invalid"),
        (deep, 422, "invalid"),
        (big, 413, "too_large"),
    ]
    async with agents.at_work("TASK-1") as stranger:
        before = await agents.states()
        headers = {**bearer(agents.token_of(ONE)), "Content-Type": "application/json"}
        for body, status, code in refusals:
            refused = await stranger.post(agents.signals(ONE), content=body, headers=headers)
            assert (refused.status_code, refused.json().get("code")) == (status, code), (body[:60], refused.text[:200])
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
            refused = await stranger.post(
                agents.signals(ONE), content=json.dumps(ASKS), headers={**headers, "Content-Type": kind}
            )
            assert refused.status_code == 415, kind
        for method in ("GET", "PUT", "PATCH", "DELETE"):
            refused = await stranger.request(method, agents.signals(ONE), json=ASKS, headers=headers)
            assert refused.status_code in (401, 405), method
        page = {**headers, "Origin": "https://evil.example"}
        assert (await stranger.post(agents.signals(ONE), json=ASKS, headers=page)).status_code == 403
        assert await agents.states() == before
        assert "Traceback" not in agents.log_tail()


EVENTS = ("SessionStart", "UserPromptSubmit", "PreToolUse", "PermissionRequest", "PostToolUse", "Notification", "Stop",
          "StopFailure", "SessionEnd")  # fmt: skip
FIELDS = ("session_id", "prompt_id", "prompt", "tool_name", "tool_input", "notification_type", "message", "reason",
          "background_tasks", "last_assistant_message", "error", "source", "stop_hook_active", "transcript_path",
          "permission_mode")  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
TELLING = st.sampled_from(
    ["permission_prompt", "idle_prompt", "AskUserQuestion", "ExitPlanMode", "Claude AI usage limit reached|9999999999",
     "limit reached|0000000000", "limit resets 13:99 pm", "x" * 5000, "\x1b]0;title\x07\n\r\0"]
)  # fmt: skip
QUESTIONS = st.fixed_dictionaries({"questions": JSON | st.lists(st.fixed_dictionaries({"question": JSON}), max_size=2)})
PAYLOADS = st.fixed_dictionaries(
    {"hook_event_name": st.sampled_from(EVENTS) | JSON},
    optional=dict.fromkeys(FIELDS, JSON | TELLING | QUESTIONS),
)


@pytest.mark.slow
async def test_no_payload_breaks_anything(agents: Agents) -> None:
    statuses: Counter[int] = Counter()
    names: Counter[str] = Counter()

    async with agents.at_work("TASK-1", "TASK-2"):
        before = (await agents.states())[TWO]
        headers = bearer(agents.token_of(ONE))
        with httpx2.Client(timeout=20) as client, httpx2.Client(headers=agents.headers(), timeout=20) as person:

            @settings(max_examples=300, deadline=None, database=None, suppress_health_check=list(HealthCheck))
            @given(PAYLOADS)
            def post(payload: Payload) -> None:
                asks = payload["hook_event_name"] == "PermissionRequest"
                try:
                    answer = client.post(agents.signals(ONE), json=payload, headers=headers, timeout=1 if asks else 20)
                except httpx2.ReadTimeout:
                    assert asks, payload  # it is held for a person
                else:
                    assert answer.status_code in (200, 422), (payload, answer.text)
                    statuses[answer.status_code] += 1
                shown = person.get(f"{agents.url}/api/v1/agents/{ONE}")
                assert shown.status_code == 200, (payload, shown.text)
                state = shown.json()["state"]
                names[state["name"]] += 1
                assert len(state["evidence"]) < 400
                assert state["evidence"].isprintable()

            await trio.to_thread.run_sync(post)
        print("statuses", dict(statuses), "states", dict(names))
        assert (await agents.states())[TWO] == before
        assert not [event for event in await everything(agents) if event["kind"] == "actor.crashed"]
        assert "Traceback" not in agents.log_tail()


async def everything(place: Place) -> list[Event]:
    found: list[Event] = []
    head = (await place.get("/status"))["head"]
    async with place.events() as stream:
        async for event in stream:
            found.append(event)
            if event["seq"] >= head:
                break
    return found


# --- secrets ----------------------------------------------------------------------------------------


async def test_tokens_stand_in_private_files_and_nowhere_else(agents: Agents) -> None:
    async with agents.at_work("TASK-1", "TASK-2") as stranger:
        tokens = {"of an agent": agents.token_of(ONE), "of clients": agents.token}
        tokens["secret"] = (agents.state / "hook-secret").read_text().strip()
        said = []
        for token in (tokens["of an agent"], agents.token):
            for body in (b"{", json.dumps(ASKS).encode(), b"x" * 3_000_000):
                headers = {**bearer(token), "Content-Type": "application/json"}
                said.append((await stranger.post(agents.signals(ONE), content=body, headers=headers)).text)
        said += [json.dumps(event) for event in await everything(agents)]
        for path in ("/status", "/agents", f"/agents/{ONE}", f"/agents/{ONE}/history", f"/agents/{ONE}/screen",
                     f"/agents/{ONE}/transcript", "/tickets/TASK-1", "/openapi.json", "/metrics"):  # fmt: skip
            async with agents.client() as client:
                said.append((await client.get(path)).text)
        daemon = agents.daemon
        assert daemon is not None
        said += [argv(pid) for pid in [daemon.pid, *descendants(daemon.pid), *agents.pids().values()]]
        said += [environ(pid) for pid in agents.pids().values()]
        for socket in agents.tmux_sockets_of_server():
            said.append(tmux(socket, "show-environment", "-g"))
            said.append(tmux(socket, "list-panes", "-a", "-F", "#{pane_start_command}"))
        said.append(agents.output.read_text(errors="replace"))
        for path in (agents.state / "transcripts").iterdir():
            said.append(path.read_text(errors="replace"))
        for name, token in tokens.items():
            assert not [text[:200] for text in said if token in text], name
        for agent in (ONE, TWO):
            assert stat.S_IMODE(agents.settings(agent).stat().st_mode) == 0o600
            assert stat.S_IMODE(agents.settings(agent).parent.stat().st_mode) == 0o700
            assert [each.name for each in agents.settings(agent).parent.iterdir()] == ["claude.json"]
        for folder in (agents.state, agents.state / "agents"):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        for name in ("hook-secret", "token"):
            assert stat.S_IMODE((agents.state / name).stat().st_mode) == 0o600
        files = [path for path in agents.state.rglob("*") if path.is_file() and "worktrees" not in path.parts]
        holding = {path.name for path in files if tokens["of an agent"].encode() in path.read_bytes()}
        assert holding == {"claude.json"}
        assert {path.name for path in files if tokens["secret"].encode() in path.read_bytes()} == {"hook-secret"}


def argv(pid: int) -> str:
    return _read(Path(f"/proc/{pid}/cmdline"))


def environ(pid: int) -> str:
    return _read(Path(f"/proc/{pid}/environ"))


def _read(path: Path) -> str:
    try:
        return path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def descendants(pid: int) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            fields = _read(folder / "stat").rpartition(")")[2].split()
            if fields and int(fields[1]) == pid:
                found += [int(folder.name), *descendants(int(folder.name))]
    return found


def tmux(socket: Path, *words: str) -> str:
    return subprocess.run(["tmux", "-S", socket, *words], capture_output=True, text=True, check=True).stdout


# --- order, repetition, restarts --------------------------------------------------------------------


async def test_hooks_twice_and_out_of_order_end_in_what_is_true(agents: Agents) -> None:
    """The status file says what is true; hooks of a turn that is over, again and in any order, do not unsay it.

    Nor is a person troubled for them: that turn was not stopped.
    """
    async with agents.at_work("TASK-1") as stranger:
        headers = bearer(agents.token_of(ONE))
        pid = agents.pids()[ONE]
        turn = [
            hook("UserPromptSubmit", prompt="p", prompt_id="one"),
            hook("PreToolUse", tool_name="Bash", prompt_id="one"),
            {**ASKS, "prompt_id": "one"},
            hook("PostToolUse", tool_name="Bash", prompt_id="one"),
            hook("Stop", background_tasks=[], prompt_id="one"),
        ]
        agents.write_status(pid, "busy")
        for payload in [*turn[3::-1], *turn, *turn[::-1]]:
            if payload["hook_event_name"] == "Stop":
                agents.write_status(pid, "idle")
            assert (await stranger.post(agents.signals(ONE), json=payload, headers=headers)).status_code == 200
        owed = await agents.until(lambda event: event["kind"] == "agent.needs_you")
        assert owed["data"]["why"] == "1 turns ended without never"  # by its step, which no turn here can satisfy
        told = [each["kind"] for each in await everything(agents) if each["kind"].startswith("agent.")]
        assert told[-2:] == ["agent.idle", "agent.needs_you"]
        agents.write_status(pid, "waiting")
        for payload in (hook("UserPromptSubmit", prompt="p", prompt_id="two"), {**ASKS, "prompt_id": "two"}):
            await stranger.post(agents.signals(ONE), json=payload, headers=headers)
        assert await agents.name_of(ONE) == "awaiting_input"
        for payload in turn:  # the turn before, once more
            await stranger.post(agents.signals(ONE), json=payload, headers=headers)
        await until_state(agents, ONE, "awaiting_input")


async def until_state(agents: Agents, agent: str, name: str, within: float = 5.0) -> None:
    """Until it has been in this state for a second."""
    calm = 0
    with trio.fail_after(within):
        while calm < 10:
            calm = calm + 1 if await agents.name_of(agent) == name else 0
            await trio.sleep(0.1)


async def test_a_hook_while_the_daemon_starts_is_heard(agents: Agents) -> None:
    async with agents.at_work("TASK-1") as stranger:
        headers = bearer(agents.token_of(ONE))
        assert await agents.name_of(ONE) == "running"
        agents.kill()
        answers: list[int] = []

        async def call() -> None:
            """As a CLI would: once, at any moment of the start; a hook that finds nobody is lost."""
            while 200 not in answers:
                try:
                    answer = await stranger.post(agents.signals(ONE), json=ASKS, headers=headers)
                except httpx2.TransportError:
                    await trio.sleep(0.002)
                else:
                    answers.append(answer.status_code)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(call)
            await agents.start()
        assert answers == [200]  # never 503, 401 or 404: it waited in the backlog until its agent was adopted
        history = (await agents.get(f"/agents/{ONE}/history"))["states"]
        assert proofs(history) == [("asking", "hook", QUESTION)]


# --- a storm ----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_storm_of_hooks_is_absorbed() -> None:
    """1,000 hooks a second of 100 agents: none is lost, others are served, the daemon does not grow."""
    names = [f"TASK-{number}" for number in range(1, 102)]
    agents = Agents(len(names))
    try:
        async with agents.at_work(*names) as stranger:
            calm, *stormy = [f"{name}~1" for name in names]
            taken = hook("UserPromptSubmit", prompt="p", prompt_id="one")  # else it shows no reaction meanwhile
            agents.write_status(agents.pids()[calm], "busy")
            await stranger.post(agents.signals(calm), json=taken, headers=bearer(agents.token_of(calm)))
            before = (await agents.states())[calm]
            assert agents.daemon is not None
            rss = [resident(agents.daemon.pid)]
            orders = {
                "host": "127.0.0.1", "port": int(agents.url.rpartition(":")[2]), "seconds": 3.0, "rate": 1000.0,
                "agents": [
                    {"path": f"/api/v1/agents/{each}/signals", "token": agents.token_of(each)} for each in stormy
                ],
            }  # fmt: skip
            took: list[float] = []
            found: dict[str, Any] = {}

            async def storm() -> None:
                command = [sys.executable, str(ROOT / "tests" / "fakes" / "hook_storm.py")]
                ran = await trio.run_process(command, stdin=json.dumps(orders).encode(), capture_stdout=True)
                found.update(json.loads(ran.stdout))
                nursery.cancel_scope.cancel()

            async with agents.client() as client, trio.open_nursery() as nursery:
                nursery.start_soon(storm)
                while True:
                    since = trio.current_time()
                    (await client.get("/tickets/TASK-1")).raise_for_status()
                    took.append(trio.current_time() - since)
                    await trio.sleep(0.02)
            rss.append(resident(agents.daemon.pid))
            hooks = [each for status in found["took"].values() for each in status]
            print(
                f"{len(hooks)} hooks, by status { {k: len(v) for k, v in found['took'].items()} }, late {found['late']}"
            )
            print(f"hook answered p50 {ms(hooks, 0.5)} p99 {ms(hooks, 0.99)}; REST of others p50 {ms(took, 0.5)} "
                  f"p99 {ms(took, 0.99)}; RSS {rss[0] / 1e6:.0f} -> {rss[1] / 1e6:.0f} MB")  # fmt: skip
            assert set(found["took"]) == {"200"}
            assert len(hooks) == 3000
            assert (await agents.states())[calm] == before
            assert rss[1] - rss[0] < 40e6
            for each in stormy:
                await until_calm(agents, each)
    finally:
        agents.close()


async def until_calm(agents: Agents, agent: str) -> None:
    """The turn before the last hooks is over; what the storm ended with is what is shown."""
    assert await agents.name_of(agent) in ("running", "awaiting_input", "idle")


def resident(pid: int) -> int:
    [line] = [each for each in _read(Path(f"/proc/{pid}/status")).splitlines() if each.startswith("VmRSS")]
    return int(line.split()[1]) * 1024


def ms(seconds: list[float], share: float) -> str:
    return f"{1000 * sorted(seconds)[int(share * (len(seconds) - 1))]:.0f} ms"


# --- history ----------------------------------------------------------------------------------------


async def test_the_history_tells_each_state_with_its_source_and_evidence(agents: Agents) -> None:
    async with agents.at_work("TASK-1") as stranger:
        headers = bearer(agents.token_of(ONE))
        for payload in (
            hook("UserPromptSubmit", prompt="p", prompt_id="one"),
            hook("PreToolUse", tool_name="Bash", prompt_id="one"),
            {**ASKS, "prompt_id": "one"},
            hook("PostToolUse", tool_name="Bash", prompt_id="one"),
            hook("StopFailure", last_assistant_message="API Error: 500", prompt_id="one"),
        ):
            await stranger.post(agents.signals(ONE), json=payload, headers=headers)
        agents.write_status(agents.pids()[ONE], "idle")
        await agents.until(lambda event: event["kind"] == "agent.idle" and "API Error" in event["data"]["evidence"])
        expected = [
            ("asking", "hook", QUESTION),
            ("idle", "hook", "its turn ended with an error: API Error: 500"),
        ]
        told = (await agents.get(f"/agents/{ONE}/history"))["states"]
        assert [each for each in proofs(told) if each[0] != "running"][-2:] == expected
        assert [each["since"] for each in told] == sorted(each["since"] for each in told)
        shown = subprocess.run(
            [sys.executable, "-m", "clients.cli.main", "agent", "history", "TASK-1", "--json",
             "--state-dir", str(agents.state)],
            cwd=ROOT, env=agents.env, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert json.loads(shown.stdout)["states"] == told
        agents.kill()
        await agents.start()
        again = (await agents.get(f"/agents/{ONE}/history"))["states"]
        assert again[: len(told)] == told


def proofs(states: list[dict[str, str]]) -> list[tuple[str, str, str]]:
    """Of a history, what hooks told."""
    return [(each["name"], each["source"], each["evidence"]) for each in states if each["source"] == "hook"]
