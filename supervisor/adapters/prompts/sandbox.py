"""A jinja2 environment in which a template can neither reach out nor run for ever."""

from collections.abc import Iterable, Iterator
from typing import Any

from attrs import define
from jinja2 import StrictUndefined, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

STEP_LIMIT = 100_000
"""Rounds of loops and calls that one rendering may take."""
OUTPUT_LIMIT = 8 * 1024 * 1024
"""Characters that one rendering may make."""
_NUMBER_LIMIT = 10**12

_BUDGET = " budget"
"""Where the context keeps it: no template can write a name with a space."""


class TooMuch(SecurityError):
    """A template that does not come to its end soon enough."""


@define
class Budget:
    """What one rendering may still do."""

    steps: int = STEP_LIMIT
    output: int = OUTPUT_LIMIT

    def spend(self) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise TooMuch(f"it takes more than {STEP_LIMIT} rounds of loops and calls")

    def write(self, text: str) -> str:
        self.output -= len(text)
        if self.output < 0:
            raise TooMuch(f"it makes more than {OUTPUT_LIMIT} characters")
        return text

    def context(self) -> dict[str, object]:
        return {_BUDGET: self}


@pass_context
def _counted(context: Context, items: Iterable[Any]) -> Iterator[Any]:
    budget: Budget = context[_BUDGET]
    for item in items:
        budget.spend()
        yield item


@pass_context
def _written(context: Context, value: object) -> str:
    budget: Budget = context[_BUDGET]
    return budget.write(str(value))


class PromptEnvironment(ImmutableSandboxedEnvironment):
    """The sandbox, with a budget for each rendering, under which also nested loops end."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=False, finalize=_written)
        self.globals = {"range": self.globals["range"]}
        self.filters[_BUDGET] = _counted

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for loop in list(tree.find_all(nodes.For)):
            loop.iter = nodes.Filter(loop.iter, _BUDGET, [], [], None, None, lineno=loop.lineno)
        return tree

    def call(self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        __context[_BUDGET].spend()
        return super().call(__context, __obj, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Refuse the operators that make much out of little, where they would."""
        if operator == "%" and isinstance(left, str):
            raise SecurityError("formatting with % is not allowed; write ~ to join texts")
        for size, times in ((left, right), (right, left)):
            if isinstance(times, int) and hasattr(size, "__len__") and len(size) * times > OUTPUT_LIMIT:
                raise TooMuch(f"it makes more than {OUTPUT_LIMIT} characters")
        if operator != "%" and any(isinstance(each, int) and abs(each) > _NUMBER_LIMIT for each in (left, right)):
            raise TooMuch("it counts with numbers that are too large")
        if operator == "**" and isinstance(right, int) and right > 100:
            raise TooMuch("it counts with numbers that are too large")
        return super().call_binop(context, operator, left, right)
