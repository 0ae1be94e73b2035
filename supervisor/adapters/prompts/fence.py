"""How untrusted text stands in a prompt: as data, between marker lines that it cannot contain."""

import hashlib

from supervisor.domain.delivery import pasteable

_SHORTEST = 12


def fenced(text: object) -> str:
    """`text` between two marker lines whose token does not occur in it; the same text gets the same fence.

    What a terminal would be spared anyway is taken out first, so that nothing can become a marker later.
    """
    plain = pasteable(str(text))
    token = _token_absent_from(plain)
    return f"----- begin {token} -----\n{plain}\n----- end {token} -----"


def _token_absent_from(text: str) -> str:
    """Hexadecimal digits that the text does not contain: its own hash, hashed on while it does."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    token = digest[:_SHORTEST]
    while token in text:
        digest = hashlib.sha256(digest.encode()).hexdigest()
        token += digest[:_SHORTEST]
    return token


def one_line(text: str) -> str:
    """A title as one line without control characters."""
    return " ".join(pasteable(text).split())
