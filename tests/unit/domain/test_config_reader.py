"""`operator.toml`: all of it can be read, all that is wrong is named at once, and no text does more harm than that."""

import datetime
from typing import Any

import attrs
import pytest
import tomlkit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from supervisor.domain.config import (
    CollectionConfig,
    Config,
    DaemonConfig,
    DriverConfig,
    PermissionRule,
    ProjectConfig,
    QueueConfig,
    SessionsConfig,
    StepConfig,
    TypeConfig,
)
from supervisor.domain.config_reader import read_config
from supervisor.domain.durations import Duration
from supervisor.domain.errors import ConfigError
from supervisor.domain.issue_type import Mode
from supervisor.domain.review import REASON_LIMIT
from supervisor.domain.wire import fields_of

EVERYTHING = """
[daemon]
state_dir = "state"
host = "::1"
port = 0
stream_port = 0
log_level = "debug"

[queue]
max_agents = 8
max_per_project = 3
max_awaiting = 5
max_attempts = 2
max_losses = 4
retry_base = "1s"
retry_cap = "1m"
driver = "claude"
project = "api"

[sessions]
backend = "tmux"
keep_sessions = "1h"
columns = 120
rows = 40
transcript_limit = 65536

[projects.api]
path = "../api"
worktrees = false
base = "main"
setup = "make deps"
setup_timeout = "5m"
copy = [".env", "local.toml"]
pull_requests = "gh"
remote = "upstream"
max_agents = 2

[drivers.claude]
kind = "command"
command = ["claude", "--verbose"]
args = ["-x"]
model = "large"
permission_mode = "plan"
env = { LANG = "C.UTF-8", "odd name" = "" }
idle_after = "250ms"
prompt_pattern = '^> $'
quit = "/exit"
interrupt = "C-c"
stop_grace = "500ms"
max_agents = 3

[collections.backend]
provider = "local"
path = "tickets"
project = "api"
driver = "claude"
type = "CHORE"
labels = ["ready"]
interval = "30s"
write_back = false
on_closed = "stop"

[collections.site]
provider = "jira"
base_url = "https://example.atlassian.net"
email = "me@example.org"
key = "ENG"
token_env = "SITE_TOKEN"
webhook_secret_env = "SITE_SECRET"
states = { started = "Doing", awaiting = "In Review" }
types = { Bug = "CHORE", "Odd name" = "FIX" }
full_every = "1h"

[collections.team]
provider = "linear"
team = "ENG"
token_file = "token"

[collections.issues]
provider = "github"
repo = "owner/name"

[collections.project]
provider = "github"
board = "owner/7"

[types.CHORE]
mode = "autonomous"
color = "blue"
icon = "tools"
rank = 5
driver = "claude"
project = "api"
max_agents = 1

[[types.CHORE.steps]]
name = "plan"
prompt = "Plan {{ ticket.id }}."
artifacts = ["plan.md"]
max_turns = 4
permission_mode = "plan"
review = "plan"
on_reject = "plan"
max_time = "2h"

[[permissions]]
action = "deny"
tool = "Bash"
pattern = "git push*"
driver = "claude"
reason = "a person pushes"
"""

READ = Config(
    DaemonConfig("state", "::1", 0, 0, "debug"),
    QueueConfig(8, 3, 5, 2, 4, Duration(1), Duration(60), "claude", "api"),
    SessionsConfig("tmux", Duration(3600), 120, 40, 65536),
    {
        "api": ProjectConfig(
            "../api", False, "main", "make deps", Duration(300), "gh", "upstream", (".env", "local.toml"), 2
        )
    },
    {
        "claude": DriverConfig(
            command=("claude", "--verbose"),
            args=("-x",),
            model="large",
            permission_mode="plan",
            env={"LANG": "C.UTF-8", "odd name": ""},
            idle_after=Duration(0.25),
            prompt_pattern="^> $",
            quit="/exit",
            interrupt="C-c",
            stop_grace=Duration(0.5),
            max_agents=3,
        )
    },
    {
        "backend": CollectionConfig(
            "local", "tickets", project="api", driver="claude", type="CHORE", labels=("ready",),
            interval=Duration(30), write_back=False, on_closed="stop",
        ),
        "site": CollectionConfig(
            "jira", base_url="https://example.atlassian.net", email="me@example.org", key="ENG",
            token_env="SITE_TOKEN", webhook_secret_env="SITE_SECRET",
            states={"started": "Doing", "awaiting": "In Review"}, types={"Bug": "CHORE", "Odd name": "FIX"},
            full_every=Duration(3600),
        ),
        "team": CollectionConfig("linear", team="ENG", token_file="token"),
        "issues": CollectionConfig("github", repo="owner/name"),
        "project": CollectionConfig("github", board="owner/7"),
    },
    {
        "CHORE": TypeConfig(
            (StepConfig("plan", "Plan {{ ticket.id }}.", ("plan.md",), 4, "plan", "plan", "plan", Duration(7200)),),
            Mode.AUTONOMOUS, "blue", "tools", 5, "claude", "api", 1,
        )
    },
    (PermissionRule("deny", "Bash", "git push*", "claude", "a person pushes"),),
)  # fmt: skip


def wrong(text: str) -> dict[str, str]:
    """What is said about each wrong key; the sentence says all of it, too."""
    with pytest.raises(ConfigError) as caught:
        read_config(text, "my.toml")
    assert caught.value.message.startswith("my.toml")
    for key, sentence in caught.value.fields.items():
        assert key in caught.value.message
        assert sentence in caught.value.message
    return dict(caught.value.fields)


# --- what is right -------------------------------------------------------------------------------


def test_nothing_is_all_default() -> None:
    assert read_config("") == Config()


def test_every_key_can_be_given_and_is_read() -> None:
    assert read_config(EVERYTHING) == READ


@pytest.mark.parametrize(
    "records",
    [
        (READ.daemon,), (READ.queue,), (READ.sessions,), (READ.projects["api"],), (READ.drivers["claude"],),
        tuple(READ.collections.values()), (READ.types["CHORE"],), (READ.types["CHORE"].steps[0],),
        (READ.permissions[0],),
    ],
    ids=lambda records: type(records[0]).__name__,
)  # fmt: skip
def test_the_full_example_leaves_no_key_out(records: tuple[Any, ...]) -> None:
    single_valued = {"kind", "provider", "action"}
    for each in attrs.fields(type(records[0])):
        default = each.default.factory() if isinstance(each.default, attrs.Factory) else each.default
        assert each.name in single_valued or any(getattr(record, each.name) != default for record in records)


# --- what is wrong -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("[queue]\nmax_agent = 1", "queue.max_agent", 'did you mean "max_agents"?'),
        ("[que]", "que", 'did you mean "queue"?'),
        ('[projects.api]\npath = "."\nworktree = true', "projects.api.worktree", 'did you mean "worktrees"?'),
        ("[queue]\nzzz = 1", "queue.zzz", "known are max_agents, max_per_project"),
        ("colour = 1", "colour", "known are daemon, queue"),
        (
            '[types.X]\nsteps = [{name = "a", prompt = "b"}, {name = "c", prompt = "d", artefacts = []}]',
            "types.X.steps[1].artefacts",
            'did you mean "artifacts"?',
        ),
        ("[queue]\nmax_agents = '4'", "queue.max_agents", "expected a whole number, got text"),
        ("[queue]\nmax_agents = true", "queue.max_agents", "expected a whole number, got true or false"),
        ("[queue]\nmax_agents = 1.5", "queue.max_agents", "expected a whole number, got a number"),
        ("[queue]\nretry_base = 10", "queue.retry_base", 'a duration such as "10s"'),
        ("[queue]\nretry_base = '10'", "queue.retry_base", "write a number and a unit"),
        ("queue = 1", "queue", ""),
        ("queue = []", "queue", ""),
        ("[[queue]]", "queue", ""),
        ("projects = 1", "projects", ""),
        ("[projects]\napi = '.'", "projects.api", ""),
        ("[projects.api]", "projects.api.path", "is missing"),
        ("[drivers.x]", "drivers.x.command", "is missing"),
        ("[drivers.x]\ncommand = 'claude'", "drivers.x.command", "expected a list, got text"),
        ("[drivers.x]\ncommand = ['a', 1]", "drivers.x.command[1]", "expected text, got a whole number"),
        ("[drivers.x]\ncommand = ['a']\nkind = 'cluade'", "drivers.x.kind", "cluade"),
        ("[drivers.x]\ncommand = ['a']\nenv = {A = 1}", "drivers.x.env.A", "expected text"),
        ("[sessions]\nbackend = 'screen'", "sessions.backend", "screen"),
        ("[queue]\nmax_agents = 0", "queue.max_agents", "must be >= 1: 0"),
        ("[queue]\nmax_awaiting = 0", "queue.max_awaiting", "must be >= 1: 0"),
        ("[queue]\nmax_per_project = -1", "queue.max_per_project", "must be >= 1: -1"),
        ("[projects.api]\npath = '.'\nmax_agents = 0", "projects.api.max_agents", "must be >= 1: 0"),
        ("[daemon]\nport = 65536", "daemon.port", "must be <= 65535: 65536"),
        ("[daemon]\nport = 0x" + "f" * 9999, "daemon.port", "too large"),
        ("[daemon]\nport = 1e9", "daemon.port", "must be <= 65535"),
        ("[types.TASK]\nrank = 0x" + "f" * 9999, "types.TASK.rank", "too large"),
        ("[types.TASK]\nrank = -1e300", "types.TASK.rank", "too large"),
        ("[types.TASK]\nrank = -inf", "types.TASK.rank", "expected a whole number"),
        ("[queue]\nretry_cap = '9999999999999h'", "queue.retry_cap", "longer than ten years"),
        ('[projects.api]\npath = "a\\u0000b"', "projects.api.path", "NUL"),
        ('[drivers.x]\ncommand = ["a", "b\\u0000"]', "drivers.x.command[1]", "NUL"),
        ("x = ", "my.toml", ""),
        ("[queue]\nmax_agents = " + "9" * 5000, "my.toml", ""),
        ("x = " + "[" * 50_000, "my.toml", ""),
        ("x = " + "{a = " * 50_000, "my.toml", ""),
    ],
)
def test_a_wrong_key_is_named_with_what_would_be_right(text: str, key: str, words: str) -> None:
    found = wrong(text)
    assert list(found) == [key]
    assert words in found[key]


def test_all_that_is_wrong_is_said_at_once() -> None:
    found = wrong(
        """
        color = 1
        [daemon]
        port = -1
        stream_port = 70000
        log_level = "loud"
        [queue]
        max_agnets = 3
        max_agents = "4"
        driver = 7
        [projects.api]
        [drivers.claude]
        command = "claude"
        modle = "x"
        """
    )
    assert set(found) == {
        "color", "daemon.port", "daemon.stream_port", "daemon.log_level", "queue.max_agnets", "queue.max_agents",
        "queue.driver", "projects.api.path", "drivers.claude.command", "drivers.claude.modle",
    }  # fmt: skip


def test_an_unknown_key_does_not_hide_a_contradiction() -> None:
    assert set(wrong("[queue]\nmax_agnets = 3\nproject = 'web'")) == {"queue.max_agnets", "queue.project"}


COLLECTION = "[collections.{}]\nprovider = 'local'\npath = '{}'\n"
DRIVER = "[drivers.claude]\ncommand = ['claude']\n"


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("[queue]\nproject = 'web'", "queue.project", "there is no [projects.web]"),
        ("[queue]\ndriver = 'codex'", "queue.driver", "there is no [drivers.codex]"),
        ("[types.TASK]\ndriver = 'codex'", "types.TASK.driver", "there is no [drivers.codex]"),
        (
            COLLECTION.format("c", "t") + "project = 'web'",
            "collections.c.project",
            "there is no [projects.web]",
        ),
        (
            COLLECTION.format("c", "t") + "type = 'BUG'",
            "collections.c.type",
            'there is no issue type "BUG"',
        ),
        (
            COLLECTION.format("c", "t") + "interval = '500ms'",
            "collections.c.interval",
            "at least 1s",
        ),
        (
            COLLECTION.format("a", "t/x") + COLLECTION.format("b", "./t/y/../x/"),
            "collections.b.path",
            "the folder of collections.a",
        ),
        ("[daemon]\nport = 7009", "daemon.stream_port", "the same as daemon.port"),
        ("[queue]\nretry_base = '10m'", "queue.retry_base", "longer than queue.retry_cap (300 s)"),
        ("[drivers.x]\ncommand = []", "drivers.x.command", "is empty"),
        ("[drivers.x]\ncommand = ['']", "drivers.x.command", "is empty"),
        (DRIVER + "prompt_pattern = '('", "drivers.claude.prompt_pattern", "not a regular expression"),
        (DRIVER + "prompt_pattern = 'a{99999999999999}'", "drivers.claude.prompt_pattern", "not a regular expression"),
        (DRIVER + f"prompt_pattern = '{'(' * 20_000}'", "drivers.claude.prompt_pattern", "not a regular expression"),
        ("[types.bug]", "types.bug", "capital letters"),
        ("[types.'']", "types.", "capital letters"),
        ("[types.X]\nsteps = [{name = ' ', prompt = 'p'}]", "types.X.steps[0].name", "is empty"),
        (
            "[types.X]\nsteps = [{name = 'a', prompt = ' '}]",
            "types.X.steps[0].prompt",
            "is empty",
        ),
        (
            "[types.X]\nsteps = [{name = 'a', prompt = 'p'}, {name = 'a', prompt = 'q'}]",
            "types.X.steps[0].name",
            "another step",
        ),
        ("[projects.'a/b']\npath = '.'", "projects.a/b", "a name is letters"),
        ("[drivers.'']\ncommand = ['x']", "drivers.", "a name is letters"),
        (COLLECTION.format("'..'", "t"), "collections...", "a name is letters"),
    ],
)
def test_what_cannot_hold_together_is_named(text: str, key: str, words: str) -> None:
    found = wrong(text)
    assert list(found) == [key]
    assert words in found[key]


@pytest.mark.parametrize("text", ["[daemon]\nport = 0\nstream_port = 0", "[types.TASK]\ndriver = 'claude'\n" + DRIVER])
def test_what_only_looks_like_a_contradiction_is_none(text: str) -> None:
    read_config(text)


# --- what is hostile -----------------------------------------------------------------------------


def _keys(kind: Any) -> list[str]:
    return list(fields_of(kind))


def test_permission_rules_are_checked() -> None:
    told = wrong(f"""
[[permissions]]
action = "allow"
tool = "NoSuchTool"
[[permissions]]
action = "deny"
pattern = ""
driver = "nosuch"
[[permissions]]
action = "allow"
tool = " "
reason = "why not"
[[permissions]]
action = "deny"
reason = "{"x" * (REASON_LIMIT + 1)}"
""")
    assert set(told) == {
        "permissions[1].pattern", "permissions[1].driver", "permissions[2].tool", "permissions[2].reason",
        "permissions[3].reason",
    }  # fmt: skip
    told = wrong("[[permissions]]\naction = 'maybe'\npatern = 'x'\n")
    assert set(told) == {"permissions[0].action", "permissions[0].patern"}
    assert "pattern" in told["permissions[0].patern"]


KNOWN = sorted(
    {
        key
        for kind in (
            Config, DaemonConfig, QueueConfig, SessionsConfig, ProjectConfig, DriverConfig, CollectionConfig,
            TypeConfig, StepConfig,
        )
        for key in _keys(kind)
    }
)  # fmt: skip
KEYS = st.sampled_from(KNOWN) | st.text(st.characters(exclude_categories=("Cs",)), max_size=5)
LEAVES = (
    st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
    | st.sampled_from(["10s", "local", "command", "TASK", "paired", "stop", "(", "tmux"])
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.booleans()
    | st.datetimes()
    | st.just(datetime.time(12, 0))
    | st.just(datetime.date(2026, 1, 1))
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)
TABLES = st.dictionaries(KEYS, VALUES, max_size=4)
FILES = st.dictionaries(
    st.sampled_from(_keys(Config)) | KEYS, st.dictionaries(KEYS, TABLES | VALUES, max_size=4) | VALUES, max_size=4
)


@given(data=FILES)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_any_toml_is_a_config_or_a_config_error(data: dict[str, Any]) -> None:
    _reads(tomlkit.dumps(data))


@given(text=st.text(st.sampled_from("[]{}=.,\"'#\n a1-_\\\x00é"), max_size=60) | st.text(max_size=60))
def test_any_text_is_a_config_or_a_config_error(text: str) -> None:
    _reads(text)


def test_a_key_of_a_thousand_parts_is_one_unknown_key() -> None:
    assert list(wrong(".".join(["a"] * 1000) + " = 1")) == ["a"]
    assert list(wrong(".".join(["queue"] + ["a"] * 1000) + " = 1")) == ["queue.a"]


def _reads(text: str) -> None:
    fields = {"": "what is read is a Config"}
    try:
        assert isinstance(read_config(text), Config)
    except ConfigError as error:
        fields = dict(error.fields)
    assert fields
    assert all(fields.values())


# --- boards ----------------------------------------------------------------------------------------

LINEAR = "provider = 'linear'\nteam = 'ENG'\n"
JIRA = "provider = 'jira'\nbase_url = 'https://x.example'\nemail = 'me@x'\nkey = 'ENG'\n"
GITHUB = "provider = 'github'\nrepo = 'owner/name'\n"
LOCAL = "provider = 'local'\npath = 'tickets'\n"


@pytest.mark.parametrize(
    ("table", "key", "sentence"),
    [
        ("provider = 'local'", "path", "is missing: local needs the folder"),
        ("provider = 'linear'", "team", "is missing: linear needs"),
        ("provider = 'jira'\nemail = 'me@x'\nkey = 'E'", "base_url", "is missing: jira needs such as https://"),
        ("provider = 'jira'\nbase_url = 'https://x'\nkey = 'E'", "email", "is missing"),
        ("provider = 'jira'\nbase_url = 'https://x'\nemail = 'me@x'", "key", "is missing"),
        ("provider = 'github'", "repo", "is missing: github needs repo"),
        (GITHUB + "board = 'owner/7'", "board", "means nothing beside repo"),
        (LINEAR + "path = 'tickets'", "path", "means nothing for linear"),
        (LINEAR + "email = 'me@x'", "email", "means nothing for linear"),
        (LINEAR + "repo = 'a/b'", "repo", "means nothing for linear"),
        (GITHUB + "team = 'ENG'", "team", "means nothing for github"),
        (JIRA + "board = 'a/7'", "board", "means nothing for jira"),
        *(
            (LOCAL + line, line.split()[0], "means nothing for local")
            for line in (
                "base_url = 'https://x'", "token_env = 'X'", "token_file = 'x'", "webhook_secret_env = 'X'",
                "states = { done = 'Done' }", "types = { Bug = 'FIX' }", "full_every = '1h'", "team = 'E'",
            )
        ),
        (LINEAR + "base_url = 'http://linear.example'", "base_url", "plain http is for loopback only"),
        (LINEAR + "base_url = 'ftp://x'", "base_url", "must begin with https://"),
        (LINEAR + "base_url = 'https://'", "base_url", "must begin with https://"),
        (LINEAR + "base_url = 'https://me:secret@x'", "base_url", "must hold no credentials"),
        (LINEAR + "base_url = 'https://x?y'", "base_url", "must hold no credentials, query"),
        (LINEAR + "base_url = 'http://[::1'", "base_url", "is no address"),
        (LINEAR + "token_env = 'A'\ntoken_file = 'b'", "token_file", "means nothing beside token_env"),
        (LINEAR + "token_env = 'A B'", "token_env", "is not the name of an environment variable"),
        (LINEAR + "webhook_secret_env = ''", "webhook_secret_env", "is not the name"),
        (LINEAR + "states = { done = ' ' }", "states.done", "is empty"),
        (LINEAR + "types = { Bug = 'NOPE' }", "types.Bug", 'there is no issue type "NOPE"'),
        (LINEAR + "full_every = '10s'", "full_every", "is shorter than interval"),
    ],
)  # fmt: skip
def test_what_a_board_cannot_do_with(table: str, key: str, sentence: str) -> None:
    found = wrong(f"[collections.c]\n{table}\n")
    assert sentence in found[f"collections.c.{key}"], found


def test_only_writes_that_there_are_have_states() -> None:
    assert wrong(f"[collections.c]\n{LINEAR}states = {{ begun = 'x' }}\n")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://[::1]:9", "http://localhost", "https://x.example/a/b"])
def test_addresses_that_tokens_may_go_to(url: str) -> None:
    assert read_config(f"[collections.c]\n{LINEAR}base_url = '{url}'\n").collections["c"].base_url == url


def test_one_place_is_one_collection() -> None:
    both = f"[collections.a]\n{LINEAR}[collections.b]\nprovider = 'linear'\nteam = 'eng'\n"
    assert "is the place of collections.a" in wrong(both)["collections.b.provider"]
    apart = f"[collections.a]\n{LINEAR}[collections.b]\nprovider = 'linear'\nteam = 'OPS'\n"
    assert list(read_config(apart).collections) == ["a", "b"]
