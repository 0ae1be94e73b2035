"""What a review asks, and what a person's words to it mean. Pure."""

import json

from supervisor.domain.views import QuestionView, ReviewView


def other_arguments(review: ReviewView) -> tuple[tuple[str, str], ...]:
    """What else a tool is to be given beside its command, as names and texts; a file's new text, say.

    Arguments that cannot be told apart come as one text without a name.
    """
    if review.kind != "permission" or review.tool_input is None:
        return ()
    try:
        given = json.loads(review.tool_input)
    except (ValueError, RecursionError):
        return (("", review.tool_input),)
    if not isinstance(given, dict):
        return (("", review.tool_input),)
    return tuple(
        (name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for name, value in given.items()
        if value != review.command
    )


def meant(question: QuestionView, text: str) -> str:
    """What a person's words mean: options by number or label, several where that is allowed; else the words."""
    labels = [each.label for each in question.options]
    whole = _option(labels, text)
    if whole is not None or not question.multiple:
        return text if whole is None else whole
    chosen = [_option(labels, part) for part in text.split(",")]
    return text if None in chosen else ", ".join(each for each in chosen if each is not None)


def _option(labels: list[str], text: str) -> str | None:
    word = text.strip()
    if word in labels:
        return word
    if word.isascii() and word.isdigit() and 1 <= int(word) <= len(labels):
        return labels[int(word) - 1]
    return next((label for label in labels if label.casefold() == word.casefold()), None)
