"""A prompt's text -> what to do. Script lines stand anywhere in it: `rehearse: VERB ARGUMENTS`.

A line may be quoted or a list's item. `attempt N: VERB ...` is for the Nth start in this worktree only,
`turn N: VERB ...` for the Nth prompt of this conversation, `step NAME: VERB ...` for prompts of Operator's that name
that step, and `redo NAME: VERB ...` for those by which it says that the step was rejected. A prompt without a script
line of its own, such as a nudge or a rejection's reason, is answered by the `turn N:` and `redo NAME:` lines of the
last script, or else by the default script.
"""

import re
from collections.abc import Iterator

Command = tuple[str, str]
"""A verb and the rest of its line."""

_LINE = re.compile(r"^[ \t>*-]*rehearse:[ \t]*(\S.*?)[ \t]*$", re.MULTILINE)
_CONDITION = re.compile(r"(attempt|turn|step|redo)[ \t]+(\w+)[ \t]*:[ \t]*(.*)")
_STEP = re.compile(r"in step (\w+) of ticket")
_REDO = re.compile(r"made in step (\w+) was reviewed")
_REJECTED = "A person rejected it, for this reason:"
_ESCAPE = re.compile(r"\\([nt\\])")


def unescape(text: str) -> str:
    """Text of a script line, in which \\n is a line's end, \\t a tab and \\\\ a backslash."""
    return _ESCAPE.sub(lambda found: {"n": "\n", "t": "\t", "\\": "\\"}[found[1]], text)


class Script:
    """Knows what each prompt asks for."""

    def __init__(self, attempt: int) -> None:
        self._attempt = attempt
        self._lines: list[str] = []
        self._step = self._redo = ""

    def commands(self, prompt: str, turn: int) -> list[Command]:
        """What to do for the prompt of this number."""
        # A prompt that arrived with each LF turned into CR is damaged, but still understood.
        text = prompt.replace("\r\n", "\n").replace("\r", "\n")
        lines = _LINE.findall(text)
        step, redo = _STEP.search(text), _REDO.search(text)
        self._step = step[1] if step else ""
        self._redo = redo[1] if redo else self._step if _REJECTED in text else ""
        if lines:
            self._lines = lines
            return list(self._chosen(turn, announced=False))
        return list(self._chosen(turn, announced=True)) or default_script(text, turn)

    def aside(self, message: str) -> list[Command]:
        """What a message asks for that is no prompt of its own; without a script line nothing."""
        now, self._lines = self._lines, _LINE.findall(message.replace("\r\n", "\n").replace("\r", "\n"))
        commands = list(self._chosen(0, announced=False))
        self._lines = now
        return commands

    def _chosen(self, turn: int, announced: bool) -> Iterator[Command]:
        """The commands that apply now; with `announced` only those that named this turn beforehand."""
        now = {"attempt": str(self._attempt), "turn": str(turn), "step": self._step, "redo": self._redo}
        for line in self._lines:
            rest, named = line, False
            while condition := _CONDITION.match(rest):
                if condition[2] != now[condition[1]]:
                    break
                rest, named = condition[3], named or condition[1] in ("turn", "redo")
            else:
                if named or not announced:
                    verb, _, arguments = rest.partition(" ")
                    yield verb, arguments.strip()


def default_script(prompt: str, turn: int) -> list[Command]:
    """What a coding agent would do: think, change a file, commit, answer."""
    subject = next((line.strip(" \t#") for line in prompt.split("\n") if line.strip(" \t#")), "nothing")
    subject = subject.replace("\\", "/")[:60]
    return [
        ("think", "0.4"),
        ("append", f"REHEARSAL.md - turn {turn}: {subject}"),
        ("commit", f"Rehearse: {subject}"),
        ("say", "Done: I wrote it down in REHEARSAL.md and committed it."),
    ]
