"""What may be typed into a terminal, and what became of it."""

import re

from attrs import evolve

from supervisor.domain.agent import GONE, Activity, Asking, Delivery, DeliveryState

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""C0 without tab and newline, DEL, and C1, whose U+009B is a CSI to some terminals."""
_NO_TEXT = re.compile("[\ud800-\udfff]")
"""Lone surrogates: they come in by JSON escapes, and no terminal can be sent one."""


def pasteable(text: str) -> str:
    """`text` so that no byte of it can act as a key or end the paste: CRLF and CR become LF, other controls go."""
    return _NO_TEXT.sub("\ufffd", _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))


HELD = "waits: a person has typed at its terminal"
"""Why a text is not typed yet that the agent could take: it would be added to theirs."""
CUT = 200
"""Characters, but for white space, of a text's end that tell which text it is."""


def is_put_back(composer: str, text: str) -> bool:
    """Whether a composer holds just this text, which was entered before: a CLI puts back what is stopped early.

    It is wrapped there, and of a long one the screen may show only the end.
    """
    shown, whole = "".join(composer.split()), "".join(text.split())
    return shown == whole or (len(shown) >= CUT and whole.endswith(shown))


def outcome_of(delivery: Delivery, activity: Activity) -> Delivery | None:
    """What an entered prompt has become, as far as the agent's state proves it; None while nothing does."""
    if delivery.state is not DeliveryState.SUBMITTED:
        return None
    submission = activity.submission
    if activity.turns_ended > delivery.turns_before or (
        submission is not None and submission.delivery_id == delivery.id and submission.reacted
    ):
        return evolve(delivery, state=DeliveryState.DELIVERED)
    if isinstance(activity.state, GONE):
        why = "the agent ended before it showed whether it took it"
        return evolve(delivery, state=DeliveryState.UNKNOWN, reason=why)
    if isinstance(activity.state, Asking):
        return evolve(delivery, state=DeliveryState.UNKNOWN, reason="the agent shows no reaction to it")
    return None
