"""The hooks of a settings file in Claude Code's shape. What it would reject at the start is refused here, too."""

import json
import re

DEFAULT_SECONDS = 600.0
SECONDS = {"UserPromptSubmit": 30.0, "SessionEnd": 1.5}
"""How long a hook of these events may take where its settings do not say."""
TIMER_LIMIT = 2147483.0
"""A longer timeout overflows Claude Code's timer: its hook is called off at once."""
COMMAND_ONLY = ("SessionStart",)
"""Events that are never posted."""


class Refused(Exception):
    """The settings cannot be used; the message says why."""


class Hook:
    """One hook of one event: posted to `url`, or a shell `command`."""

    def __init__(self, event: str, matcher: str, seconds: float) -> None:
        self.event = event
        self.seconds = 0.0 if seconds > TIMER_LIMIT else seconds
        self.host, self.port, self.path = "", 0, ""
        self.headers: dict[str, str] = {}
        self.command: str | None = None
        try:
            self._matcher = re.compile(matcher) if matcher not in ("", "*") else None
        except re.error as error:
            raise Refused(f"{event}: matcher {matcher!r}: {error}") from None

    def matches(self, subject: str) -> bool:
        """Whether it wants to hear of this: a tool's name, or what its event goes by."""
        return self._matcher is None or self._matcher.fullmatch(subject) is not None


Hooks = dict[str, list[Hook]]


def read_settings(path: str) -> Hooks:
    """The hooks by event, in the order of the file. Raises `Refused`."""
    try:
        with open(path, encoding="utf-8") as file:
            settings: object = json.load(file)
    except (OSError, ValueError) as error:
        raise Refused(f"{path}: {error}") from None
    found: Hooks = {}
    for event, groups in _mapping(_mapping(settings, path).get("hooks", {}), "hooks").items():
        for group in _list(groups, event):
            entry = _mapping(group, event)
            matcher = entry.get("matcher") or ""
            if not isinstance(matcher, str):
                raise Refused(f"{event}: a matcher is a text")
            for hook in _list(entry.get("hooks", []), event):
                found.setdefault(event, []).append(_hook(event, matcher, _mapping(hook, event)))
    return found


def _hook(event: str, matcher: str, entry: dict[str, object]) -> Hook:
    seconds = entry.get("timeout", SECONDS.get(event, DEFAULT_SECONDS))
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds > 0:
        raise Refused(f"{event}: a timeout is a number of seconds above 0")
    hook = Hook(event, matcher, seconds)
    url, command = entry.get("url"), entry.get("command")
    if entry.get("type") == "http" and isinstance(url, str):
        hook.host, hook.port, hook.path = _address(url)
        for name, value in _mapping(entry.get("headers", {}), event).items():
            if not isinstance(value, str) or re.search(r"[^\x20-\x7e]", name + value):
                raise Refused(f"{event}: header {name!r} cannot be sent")
            hook.headers[name] = value
    elif entry.get("type") == "command" and isinstance(command, str):
        hook.command = command
    else:
        raise Refused(f"{event}: a hook is of type http with a url, or of type command with a command")
    return hook


def _address(url: str) -> tuple[str, int, str]:
    """Host, port and path. A host has no name to look up: that would stop the terminal for as long as it takes."""
    found = re.fullmatch(r"http://(localhost|[0-9.]+|\[[0-9a-f:]+\])(?::([0-9]{1,5}))?(/[\x21-\x7e]*)?", url)
    if found is None or int(found[2] or 80) > 65535:
        raise Refused(f"not an http URL with an address of numbers: {url!r}")
    host = "127.0.0.1" if found[1] == "localhost" else found[1].strip("[]")
    return host, int(found[2] or 80), found[3] or "/"


def _mapping(value: object, where: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise Refused(f"{where}: not an object")
    return value


def _list(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        raise Refused(f"{where}: not a list")
    return value
