"""The verbs that a coding agent would use a tool for, each between the hooks before and after it."""

import os
from collections.abc import Callable, Generator, Iterator

from clients.cli.demo.rehearsal.dialogs import REFUSED, Dialog
from clients.cli.demo.rehearsal.journal import Journal
from clients.cli.demo.rehearsal.protocol import Json, Protocol, Tool
from clients.cli.demo.rehearsal.screen import Screen
from clients.cli.demo.rehearsal.script import unescape
from clients.cli.demo.rehearsal.waits import NOTHING, SOON, Unplayable, Wait

POLL_SECONDS = 0.02
TERMINATE_SECONDS = 0.5
OUTPUT_LIMIT = 30_000
"""Of what a command prints the model is told so many bytes."""
FALLBACK_IDENTITY = ("-c", "user.name=Rehearsal Agent", "-c", "user.email=rehearsal@localhost")

ALWAYS = "always"

Result = tuple[str, Json | None]
"""What the model is told, and the response that hooks see; without one the tool failed."""
Work = Generator[Wait, None, Result]


class Tools:
    """Uses tools in one working directory."""

    def __init__(self, screen: Screen, journal: Journal, protocol: Protocol, directory: str) -> None:
        self._screen = screen
        self._journal = journal
        self._protocol = protocol
        self._directory = directory
        self._allowed: set[object] = set()
        """Commands that the person does not want to be asked about again."""
        self.verbs: dict[str, Callable[[str], Iterator[Wait]]] = {
            "write": self._write, "append": self._append, "commit": self._commit, "run": self._run,
            "permission": self._permission,
        }  # fmt: skip

    # Around every tool

    def _use(self, tool: Tool, work: Callable[[], Work], ask: bool = False) -> Generator[Wait, None, None]:
        """Use a tool, unless a hook or a person is against it."""
        allowed = yield from self._gate(tool, ask)
        if not allowed:
            return
        self._protocol.busy_with_tool = self._protocol.session.active
        try:
            try:
                told, response = yield from work()
            except (Unplayable, OSError) as problem:
                yield from self._after(tool, (str(problem), None))
                raise
            yield from self._after(tool, (told, response))
        finally:
            self._protocol.busy_with_tool = False

    def _after(self, tool: Tool, result: Result) -> Iterator[Wait]:
        if self._protocol.session.active:
            yield from self._protocol.after(tool, *result)

    def _gate(self, tool: Tool, ask: bool) -> Generator[Wait, None, bool]:
        decision = yield from self._protocol.before(tool)
        behavior = "" if decision is None else decision.behavior
        if ask and self._asks(tool):
            behavior = behavior or "ask"
        if behavior == "ask":
            dialog = _dialog(tool)
            decision = yield from self._protocol.ask(tool, dialog, **_suggestions(tool))
            if dialog.outcome == ALWAYS:
                self._allowed.add(tool.input.get("command"))
            behavior = "allow" if decision is None else decision.behavior
        if decision is None:
            return True
        if behavior == "deny":
            self._protocol.tell("Permission denied by hook" if decision.message is None else decision.message)
            self._screen.line(f"  ⎿  {decision.message or 'Denied'}")
            return False
        if decision.updated_input is not None:
            tool.input = decision.updated_input
        self._protocol.session.mode = decision.mode or self._protocol.session.mode
        return True

    def _asks(self, tool: Tool) -> bool:
        return self._protocol.session.mode != "bypassPermissions" and tool.input.get("command") not in self._allowed

    # Files

    def _inside(self, text: str) -> str:
        """The path of a file that the script may change."""
        path = os.path.realpath(os.path.join(self._directory, text))
        parts = os.path.relpath(path, self._directory).split(os.sep)
        if not text or parts[0] in (os.curdir, os.pardir) or ".git" in parts:
            raise Unplayable(f"not a file inside the working directory: {text!r}")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def _write(self, text: str) -> Iterator[Wait]:
        name, _, content = text.partition(" ")
        content = unescape(content) + "\n"
        path = os.path.join(self._directory, name)
        response: Json = {"type": "create", "filePath": path, "content": content, "structuredPatch": []}
        tool = Tool("Write", {"file_path": path, "content": content})
        return self._use(tool, lambda: self._put(name, content, "w", "Write", response))

    def _append(self, text: str) -> Iterator[Wait]:
        name, _, content = text.partition(" ")
        content = unescape(content) + "\n"
        change: Json = {"file_path": os.path.join(self._directory, name), "old_string": "", "new_string": content}
        tool = Tool("Edit", {**change, "replace_all": False})
        response: Json = {"filePath": change["file_path"], "oldString": "", "newString": content, "replaceAll": False}
        return self._use(tool, lambda: self._put(name, content, "a", "Update", response))

    def _put(self, name: str, content: str, mode: str, title: str, response: Json) -> Work:
        with open(self._inside(name), mode, encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.write(content)
        self._screen.line(f"● {title}({name})")
        yield SOON
        return f"Wrote {name}.", response

    # Commands

    def _commit(self, message: str) -> Iterator[Wait]:
        message = message or "Rehearsal"
        command = f"git add -A && git commit -m {_quoted(message)}"
        return self._use(_bash(command), lambda: self._commit_work(message))

    def _commit_work(self, message: str) -> Work:
        code, _ = yield from self._output(["git", "config", "--get", "user.email"])
        identity = FALLBACK_IDENTITY if code and "GIT_AUTHOR_EMAIL" not in os.environ else ()
        self._screen.line("● Bash(git commit)")
        code, output = yield from self._output(["git", "add", "-A"])
        if not code:
            # Nobody is there to type the passphrase of a signing key.
            options = [*identity, "-c", "commit.gpgsign=false"]
            code, output = yield from self._output(["git", *options, "commit", "-m", message])
        for line in output.decode("utf-8", "replace").splitlines()[:3]:
            self._screen.line(f"  ⎿  {line}")
        self._journal.note("commit", code=code)
        return _result(code, output)

    def _run(self, command: str) -> Iterator[Wait]:
        tool = _bash(command)
        return self._use(tool, lambda: self._run_work(tool))

    def _permission(self, command: str) -> Iterator[Wait]:
        tool = _bash(command)
        return self._use(tool, lambda: self._run_work(tool), ask=True)

    def _run_work(self, tool: Tool) -> Work:
        command = str(tool.input.get("command", ""))
        self._screen.line(f"● Bash({command})")
        code, output = yield from self._output(["/bin/sh", "-c", command], show=True)
        self._journal.note("run", code=code)
        if code:
            self._screen.line(f"  ⎿  exit {code}")
        return _result(code, output)

    def _output(self, argv: list[str], show: bool = False) -> Generator[Wait, None, tuple[int, bytes]]:
        """Run a program in our process group; its exit status and the beginning of its output."""
        import subprocess

        child = subprocess.Popen(
            argv,
            cwd=self._directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert child.stdout is not None
        pipe = child.stdout.fileno()
        os.set_blocking(pipe, False)
        output, kept = b"", b""
        try:
            while True:
                ended = child.poll() is not None
                try:
                    piece = os.read(pipe, 65536)
                except BlockingIOError:
                    # What the program left running may hold the pipe open for long.
                    if ended:
                        break
                    yield POLL_SECONDS, pipe
                    continue
                if not piece:
                    break
                kept += piece[: OUTPUT_LIMIT - len(kept)]
                if show:
                    *lines, output = (output + piece).split(b"\n")
                    self._show(lines)
                    yield SOON
            if output:
                self._show([output])
            while (code := child.poll()) is None:
                yield POLL_SECONDS, NOTHING
            return code, kept
        finally:
            child.stdout.close()
            if child.poll() is None:
                child.terminate()  # git removes its lock files then
                try:
                    child.wait(TERMINATE_SECONDS)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()

    def _show(self, lines: list[bytes]) -> None:
        for line in lines:
            self._screen.line("  ⎿  " + line.decode("utf-8", "replace").rstrip("\r"))


def _bash(command: str) -> Tool:
    return Tool("Bash", {"command": command, "description": "Rehearsed command"})


def _result(code: int, output: bytes) -> Result:
    text = output.decode("utf-8", "replace").rstrip("\n")
    if code:
        return f"Exit code {code}\n{text}", None
    return text or "(no output)", {"stdout": text, "stderr": "", "interrupted": False, "isImage": False}


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\"'\"'") + "'"


def _dialog(tool: Tool) -> Dialog:
    what = str(tool.input.get("command") or tool.input.get("file_path") or "")
    again = what.partition("\n")[0]
    rows = [f" {tool.name} command" if tool.name == "Bash" else f" {tool.name}", ""]
    rows += [f"   {line}" for line in what.split("\n")]
    if "description" in tool.input:
        rows.append(f"   {tool.input['description']}")
    choices = [("yes", "Yes"), (ALWAYS, f"Yes, and don't ask again for: {again}"), (REFUSED, "No")]
    return Dialog("permission", [*rows, "", " Do you want to proceed?"], choices)


def _suggestions(tool: Tool) -> Json:
    if tool.name != "Bash":
        return {"permission_suggestions": [{"type": "setMode", "mode": "acceptEdits", "destination": "session"}]}
    rule = {"toolName": "Bash", "ruleContent": tool.input["command"]}
    suggestion = {"type": "addRules", "rules": [rule], "behavior": "allow", "destination": "localSettings"}
    return {"permission_suggestions": [suggestion]}
