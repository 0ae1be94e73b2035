"""Defaults, and how a file's issue types are laid over the built-in ones."""

import pytest
from attrs import evolve

from supervisor.domain.built_in import BUILT_IN
from supervisor.domain.config import Config, StepConfig, TypeConfig, issue_types
from supervisor.domain.issue_type import IssueType, Mode, Step


def laid_over(name: str, given: TypeConfig) -> IssueType:
    return issue_types(Config(types={name: given}))[name]


def test_without_a_file_the_types_are_the_built_in_ones() -> None:
    assert issue_types(Config()) == BUILT_IN
    assert [name for name, kind in BUILT_IN.items() if kind.mode is Mode.PAIRED] == ["INV", "SPIKE"]
    assert len({kind.rank for kind in BUILT_IN.values()}) == len(BUILT_IN)
    assert all(kind.steps for kind in BUILT_IN.values())


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_a_built_in_type_keeps_what_the_file_does_not_change(name: str) -> None:
    assert laid_over(name, TypeConfig()) == BUILT_IN[name]
    changed = laid_over(name, TypeConfig(color="white", rank=1, driver="codex", project="api", max_agents=2))
    assert changed == evolve(BUILT_IN[name], color="white", rank=1, driver="codex", project="api", max_agents=2)


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("name", ["TASK", "SPIKE", "CHORE"])
def test_a_mode_that_is_given_is_never_ignored(name: str, mode: Mode) -> None:
    assert laid_over(name, TypeConfig(mode=mode)).mode is mode


def test_steps_of_ones_own_do_not_change_a_built_in_types_mode() -> None:
    mine = laid_over("SPIKE", TypeConfig(steps=(StepConfig("look", "Look."),)))
    assert mine == evolve(BUILT_IN["SPIKE"], steps=(Step("look", "Look."),))


def test_a_type_of_ones_own_works_like_the_built_in_one_of_its_mode() -> None:
    chore = laid_over("CHORE", TypeConfig(icon="tools"))
    assert (chore.steps, chore.mode, chore.icon) == (BUILT_IN["TASK"].steps, Mode.AUTONOMOUS, "tools")
    pairing = laid_over("CHORE", TypeConfig(mode=Mode.PAIRED))
    assert (pairing.steps, pairing.mode) == (BUILT_IN["SPIKE"].steps, Mode.PAIRED)


def test_every_key_of_a_step_reaches_it() -> None:
    step = StepConfig("plan", "Plan it.", ("plan.md",), 5, "plan")
    assert laid_over("CHORE", TypeConfig(steps=(step,))).steps == (Step("plan", "Plan it.", ("plan.md",), 5, "plan"),)
