"""What terminal programs say by how their title begins."""

import re

from supervisor.domain.agent import Meaning

_SPINNERS = frozenset(
    "".join(map(chr, range(0x2801, 0x2900)))  # braille, but for the blank one
    + "◐◓◑◒◴◷◶◵◰◳◲◱◜◝◞◟◠◡◢◣◤◥▖▘▝▗⬖⬘⬗⬙⣷"
    + "🌑🌒🌓🌔🌕🌖🌗🌘🕐🕑🕒🕓🕔🕕🕖🕗🕘🕙🕚🕛⏳⌛"
)
"""What programs draw at a title's beginning while they work. No letter and no `-\\|/`: those begin other titles."""

_ASKS = re.compile(r"\[ ?[!.?] ?\]|✋|\W*action required\b", re.IGNORECASE)
"""How titles begin that ask for a person: `[ ! ] Action Required | project`, `✋  Action Required (project)`."""


def read_title(title: str) -> Meaning | None:
    """Busy by a spinner, asking by a mark of that, idle by anything else; None for an empty title."""
    text = title.strip()
    if not text:
        return None
    if text[0] in _SPINNERS:
        return Meaning.BUSY
    return Meaning.ASKING if _ASKS.match(text) else Meaning.IDLE
