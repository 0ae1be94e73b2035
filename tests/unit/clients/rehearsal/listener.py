"""A rehearsal agent whose hooks are posted to a test, which answers them, holds them, or breaks them off."""

import json
import os
import select
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from asyncinotify import Inotify, Mask

from tests.unit.clients.rehearsal.stage import DEADLINE, Rehearsal

Json = dict[str, Any]

EVENTS = (
    "SessionStart", "UserPromptSubmit", "PreToolUse", "PermissionRequest", "PostToolUse", "PostToolUseFailure",
    "Notification", "Stop", "StopFailure", "SessionEnd",
)  # fmt: skip


def verdict(behavior: str, **more: object) -> Json:
    """A decision as a PermissionRequest hook gives it."""
    decision = {"behavior": behavior, **more}
    return {"hookSpecificOutput": {"hookEventName": "PermissionRequest", "decision": decision}}


def gate(behavior: str, **more: object) -> Json:
    """A decision as a PreToolUse hook gives it."""
    return {"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": behavior, **more}}


def response(answer: Json | bytes, status: int = 200) -> bytes:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return f"HTTP/1.1 {status} Is\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class Hook:
    """One hook that was called."""

    def __init__(self, headers: dict[str, str], payload: Json, connection: socket.socket) -> None:
        self.name = str(payload["hook_event_name"])
        self.headers = headers
        self.payload = payload
        self.closed = False
        """The agent closed the connection before there was an answer."""
        self._answered = False
        self._connection = connection
        self._waker, self._wake = socket.socketpair()

    def answer(self, answer: Json | bytes, status: int = 200) -> None:
        self.raw(response(answer, status))

    def raw(self, data: bytes, reset: bool = False) -> None:
        """Send these bytes as the answer and close; with `reset` not in an orderly way."""
        self._answered = True
        if reset:
            self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with suppress(OSError):  # the agent may close first, and then all is closed here, too
            self._connection.sendall(data)
            self._wake.send(b"!")

    def hold(self) -> None:
        """Wait until it is answered, or until the agent closes the connection."""
        select.select([self._waker, self._connection], [], [], 2 * DEADLINE)
        self.closed = not self._answered
        self.release()

    def release(self) -> None:
        for end in (self._waker, self._wake, self._connection):
            end.close()


class Listener:
    """Receives hooks on loopback. They are answered `{}` at once, unless their event is in `answers` or `held`."""

    def __init__(self) -> None:
        self.answers: dict[str, Json] = {}
        self.held: set[str] = set()
        self.hooks: list[Hook] = []
        self._server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}/hook"
        self.bell, self._bell = os.pipe()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def named(self, name: str) -> list[Hook]:
        return [hook for hook in list(self.hooks) if hook.name == name]

    def settings(self, path: Path, *events: str, timeout: float = 86400, matcher: str = "") -> str:
        """Write a settings file in which these events, or all, are posted here."""
        hook = {"type": "http", "url": self.url, "timeout": timeout, "headers": {"Authorization": "Bearer secret"}}
        groups = {event: [{"matcher": matcher, "hooks": [hook]}] for event in events or EVENTS}
        path.write_text(json.dumps({"hooks": groups}))
        return str(path)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as file:
            file.readline()
            headers: dict[str, str] = {}
            while line := file.readline().strip():
                name, _, value = line.decode().partition(": ")
                headers[name] = value
            payload = json.loads(file.read(int(headers.get("Content-Length", "0"))) or b"{}")
        if not payload:
            connection.close()
            return
        hook = Hook(headers, payload, connection)
        held = hook.name in self.held
        self.hooks.append(hook)  # first: once it has its answer, the agent calls the next one
        os.write(self._bell, b"!")
        if held:
            hook.hold()
            os.write(self._bell, b"!")
        else:
            with suppress(OSError):
                connection.sendall(response(self.answers.get(hook.name, {})))
            hook.release()

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for thread in self._threads:
            thread.join(DEADLINE)
            assert not thread.is_alive()
        os.close(self.bell)
        os.close(self._bell)


class Hooked(Rehearsal):
    """An agent with hooks, on a terminal of its own. A test also wakes when a file changes: journal, HOME's, ours."""

    def __init__(self, directory: Path, home: Path, listener: Listener, *options: str) -> None:
        self._watch = Inotify(sync_timeout=0)
        notes = directory / ".git" / ".rehearsal"
        notes.mkdir(exist_ok=True)
        for folder in (notes, directory, directory.parent):
            self._watch.add_watch(folder, Mask.CREATE | Mask.MODIFY | Mask.MOVED_TO)
        super().__init__(directory, *options, home=home)
        self.bells += [listener.bell, self._watch.fd]
        self.listener = listener
        self.files = home / ".rehearsal"

    def hook(self, name: str, count: int = 1) -> Hook:
        """Wait for the so manieth hook of this name."""
        self.until(lambda: len(self.listener.named(name)) >= count)
        return self.listener.named(name)[count - 1]

    def names(self) -> list[str]:
        return [hook.name for hook in self.listener.hooks]

    def told(self) -> list[str]:
        return [event["text"] for event in self.events("told")]

    def close(self) -> None:
        self._watch.close()
        super().close()

    def sees(self, text: str) -> None:
        self.until(lambda: text.encode() in self.output)

    def status(self) -> Json:
        found: Json = json.loads((self.files / "sessions" / f"{self.process.pid}.json").read_bytes())
        return found


Launch = Callable[..., Hooked]
