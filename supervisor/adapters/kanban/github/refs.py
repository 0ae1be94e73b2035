"""Names of repositories and issues, and the issues that a text says it waits for. Pure."""

import re
from collections.abc import Iterator

from attrs import frozen

_PART = r"[A-Za-z0-9_.-]{1,100}"
_REPO = re.compile(rf"({_PART})/({_PART})")
_LINE = re.compile(r"^[ \t>*+-]{0,20}(?:is )?blocked by:?[ \t]+(.{1,500})", re.IGNORECASE | re.MULTILINE)
_REF = re.compile(rf"(?:({_PART}/{_PART}))?#(\d{{1,9}})\b|://[^/\s]+/({_PART}/{_PART})/(?:issues|pull)/(\d{{1,9}})\b")
_MOST = 20


@frozen
class Ref:
    """An issue, by where it is found."""

    repo: str
    """`owner/name`."""
    number: int

    @property
    def key(self) -> str:
        return f"{self.repo.partition('/')[2]}-{self.number}"


def is_repo(text: str) -> bool:
    """Whether it is `owner/name`, and nothing that a path could climb with."""
    found = _REPO.fullmatch(text)
    return found is not None and not {found[1], found[2]} & {".", ".."}


def waited_for(body: str, repo: str | None) -> tuple[Ref, ...]:
    """What lines such as `Blocked by #7, owner/name#8` name, at most 20. Without `repo`, `#7` alone names nothing."""
    found = dict.fromkeys(_refs(body, repo))
    return tuple(found)[:_MOST]


def _refs(body: str, repo: str | None) -> Iterator[Ref]:
    for line in _LINE.findall(body):
        for named, number, linked, linked_number in _REF.findall(line):
            where = named or linked or repo
            if repo is not None and where is not None and where.casefold() == repo.casefold():
                where = repo
            if where is not None and is_repo(where) and int(number or linked_number) > 0:
                yield Ref(where, int(number or linked_number))


def is_project(text: str) -> bool:
    """Whether it is `owner/7`."""
    return re.fullmatch(rf"{_PART}/[1-9][0-9]{{0,8}}", text) is not None
