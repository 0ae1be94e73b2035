"""Names of files: which are tickets, what a new one is called, how a name is shown. Pure."""

import re
import unicodedata
from collections.abc import Iterator

from supervisor.domain.ids import TicketId

NAME_BYTES = 255
"""The longest file name there is on the file systems we meet."""
RECOVERED = "recovered.md"
"""What a version of a ticket file is called that was kept beside it, so that no save of a person's is lost."""
_RECOVERED = re.compile(r"recovered(-\d+)?\.md")
_SLUG_BYTES = 60
_ALTERNATIVES = 1000
_BROKEN = ("Cc", "Cs", "Zl", "Zp")


def is_ticket_file(name: str) -> bool:
    """Whether a file's name makes it a ticket: Markdown, and neither hidden nor an editor's own."""
    return name.lower().endswith(".md") and not name.startswith((".", "#"))


def is_recovered(name: str) -> bool:
    """Whether a file is a version that was kept beside its ticket file."""
    return _RECOVERED.fullmatch(name) is not None


def file_name(ticket_id: TicketId, title: str) -> str:
    """A new ticket's file name: its id, and as much of its title in its own script as is fit for a name."""
    words = re.sub(r"[\W_]+", "-", unicodedata.normalize("NFC", title).lower()).strip("-")
    slug = _cut(words, _SLUG_BYTES).strip("-")
    return f"{ticket_id}-{slug}.md" if slug else f"{ticket_id}.md"


def alternatives(name: str) -> Iterator[str]:
    """The name itself, then `stem-2.md`, `stem-3.md` and so on."""
    yield name
    stem, suffix = name[:-3], name[-3:]
    for number in range(2, _ALTERNATIVES):
        tail = f"-{number}{suffix}"
        yield _cut(stem, NAME_BYTES - len(tail)) + tail


def shown(text: str, limit: int = 200) -> str:
    """Text from a file or its name as one line that can be stored, sent and printed anywhere."""
    line = "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in _BROKEN else c for c in text)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def one_line(text: str, limit: int) -> str:
    """A title: runs of white space become one space, control characters vanish."""
    words = " ".join(text.split())
    kept = "".join(c for c in words if unicodedata.category(c) not in _BROKEN)
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"


def _cut(text: str, size: int) -> str:
    """At most `size` bytes of it, cut between characters."""
    raw = text.encode("utf-8", "surrogateescape")
    if len(raw) <= size:
        return text
    while size > 0 and raw[size] & 0xC0 == 0x80:
        size -= 1
    return raw[:size].decode("utf-8", "surrogateescape")
