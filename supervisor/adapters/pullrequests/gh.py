"""Pull requests through the `gh` command: it knows the host and holds the login, and neither is ours."""

import json
import subprocess
from collections.abc import Mapping
from typing import Any

import trio

from supervisor.domain.config import ProjectConfig
from supervisor.domain.errors import PullRequestError
from supervisor.ports import PullRequest, PullState, Workspace

DEADLINE = 60.0
"""Seconds for one command."""
OUTPUT_LIMIT = 1024 * 1024
SHOWN = 400
"""Characters of a command's own words in a message."""
_STATES = {"OPEN": PullState.OPEN, "MERGED": PullState.MERGED, "CLOSED": PullState.CLOSED}


class GhPullRequests:
    """Implements `ports.PullRequests` for projects with `pull_requests = "gh"`; others offer nothing."""

    def __init__(self, projects: Mapping[str, ProjectConfig], environment: Mapping[str, str]) -> None:
        self._projects = projects
        self._environment = {**environment, "GH_PROMPT_DISABLED": "1", "GIT_TERMINAL_PROMPT": "0", "NO_COLOR": "1"}

    async def open(self, project: str, workspace: Workspace, title: str, body: str) -> PullRequest | None:
        """Push the branch and open a pull request for it, or find the one that is open."""
        config = self._projects.get(project)
        if config is None or config.pull_requests == "none" or workspace.branch is None:
            return None
        refs = f"refs/heads/{workspace.branch}"
        # With a lease: what somebody else pushed to that branch meanwhile is not overwritten.
        await self._run(
            workspace.path, "git", "push", "--force-with-lease", "--set-upstream", config.remote, f"{refs}:{refs}"
        )
        found = await self._found(workspace, workspace.branch)
        if found is not None:
            return found
        words = ["gh", "pr", "create", "--head", workspace.branch, "--title", title[:250], "--body-file", "-"]
        if config.base is not None:
            words += ["--base", config.base]
        await self._run(workspace.path, *words, stdin=body.encode())
        made = await self._found(workspace, workspace.branch)
        if made is None:
            raise PullRequestError(f"gh opened a pull request for {workspace.branch}, but does not show it")
        return made

    async def _found(self, workspace: Workspace, branch: str) -> PullRequest | None:
        words = ("pr", "list", "--head", branch, "--state", "open", "--limit", "1", "--json", "number,url")
        listed = await self._json(workspace.path, *words)
        if not isinstance(listed, list) or not listed:
            return None
        return _pull(listed[0])

    async def state(self, project: str, pull: PullRequest) -> PullState:
        """What has become of it."""
        config = self._projects.get(project)
        if config is None:
            raise PullRequestError(f"there is no project {project} any more")
        told = await self._json(config.path, "pr", "view", pull.url, "--json", "state")
        state = told.get("state") if isinstance(told, dict) else None
        if not isinstance(state, str) or state not in _STATES:
            raise PullRequestError(f"gh says of {pull.url} what cannot be understood")
        return _STATES[state]

    async def _json(self, where: str, *words: str) -> Any:
        out = await self._run(where, "gh", *words)
        try:
            return json.loads(out)
        except (ValueError, RecursionError):
            raise PullRequestError(f"gh {words[0]} {words[1]} answered with what is no JSON") from None

    async def _run(self, where: str, *argv: str, stdin: bytes = b"") -> bytes:
        what = " ".join(argv[:3])
        with trio.move_on_after(DEADLINE):
            try:
                ended = await trio.run_process(
                    argv,
                    cwd=where,
                    env=self._environment,
                    stdin=stdin,
                    capture_stdout=True,
                    capture_stderr=True,
                    check=False,
                    start_new_session=True,
                )
            except FileNotFoundError:
                hint = 'Install gh and run `gh auth login`, or set pull_requests = "none" for the project.'
                raise PullRequestError(f"{argv[0]} is not installed, or {where} is gone", hint=hint) from None
            except OSError as error:
                raise PullRequestError(f"{what} could not be started: {error.strerror}") from None
            return self._out(what, ended)
        raise PullRequestError(f"{what} did not end within {DEADLINE:g} s", hint="Is the network there?")

    def _out(self, what: str, ended: "subprocess.CompletedProcess[bytes]") -> bytes:
        if ended.returncode != 0:
            said = " ".join(ended.stderr.decode("utf-8", "replace").split())[-SHOWN:]
            hint = "Run `gh auth status` as the daemon's user." if "auth" in said.lower() else ""
            raise PullRequestError(f"{what} failed: {said or f'exit {ended.returncode}'}", hint=hint)
        return ended.stdout[:OUTPUT_LIMIT]


def _pull(told: object) -> PullRequest:
    number, url = (told.get("number"), told.get("url")) if isinstance(told, dict) else (None, None)
    if not isinstance(number, int) or not isinstance(url, str) or not url.startswith(("https://", "http://")):
        raise PullRequestError("gh names a pull request that cannot be understood")
    return PullRequest(url, number)
