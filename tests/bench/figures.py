"""What was measured, beside the bar it is to hold. Figures are printed; they turn no test red."""

import os
from collections.abc import Sequence
from statistics import median

from attrs import define, field, frozen


def at(share: float, values: Sequence[float]) -> float:
    """The value below which that share of the values lies."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(len(ranked) * share))]


@frozen
class Figure:
    """One row of the table."""

    what: str
    measured: float
    unit: str
    bar: float | None
    note: str

    def __str__(self) -> str:
        bar = "" if self.bar is None else f"{_number(self.bar)} {self.unit}"
        verdict = "" if self.bar is None else ("held" if self.measured <= self.bar else "MISSED")
        return f"{self.what:<62} {_number(self.measured):>8} {self.unit:<3} {bar:>9} {verdict:<6} {self.note}".rstrip()


def _number(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


@define
class Figures:
    """All rows of a run, in the order in which they were measured."""

    rows: list[Figure] = field(factory=list)

    def row(self, what: str, measured: float, unit: str, bar: float | None = None, note: str = "") -> None:
        """Add a row; `bar` is the most that it may be."""
        load = f"load {os.getloadavg()[0]:.1f}"
        figure = Figure(what, measured, unit, bar, f"{note}; {load}" if note else load)
        self.rows.append(figure)
        print(f"\n{figure}", end="", flush=True)

    def middle(self, what: str, values: Sequence[float], unit: str, bar: float | None = None, note: str = "") -> None:
        """The median of many values, with the 99th percentile and the greatest of them."""
        ends = f"p99 {_number(at(0.99, values))}, max {_number(max(values))}, n={len(values)}"
        self.row(f"{what}, p50", median(values), unit, bar, f"{ends}, {note}" if note else ends)

    def spread(self, what: str, values: Sequence[float], unit: str, bar: float | None = None, note: str = "") -> None:
        """The median of several values, with the least and the greatest of them."""
        span = f"{_number(min(values))} to {_number(max(values))}, n={len(values)}"
        self.row(f"{what}, median", median(values), unit, bar, f"{span}, {note}" if note else span)

    def tail(self, what: str, values: Sequence[float], unit: str, bar: float | None = None, note: str = "") -> None:
        """The 99th percentile of many values, with the median and the greatest of them."""
        ends = f"p50 {_number(median(values))}, max {_number(max(values))}, n={len(values)}"
        self.row(f"{what}, p99", at(0.99, values), unit, bar, f"{ends}, {note}" if note else ends)

    def rounds(
        self, what: str, rounds: Sequence[Sequence[float]], unit: str, bar: float | None = None, note: str = ""
    ) -> None:
        """The 99th percentile of each of several rounds, and of these the median: one round may be disturbed."""
        tails = [at(0.99, values) for values in rounds]
        p50 = median([value for values in rounds for value in values])
        said = f"p50 {_number(p50)}, p99 of each round {', '.join(map(_number, tails))}, n={sum(map(len, rounds))}"
        self.row(f"{what}, p99", median(tails), unit, bar, f"{said}, {note}" if note else said)
