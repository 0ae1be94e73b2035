#!/usr/bin/env python3
"""A `gh` that keeps pull requests in a JSON file beside it: what the adapter asks of the real one, and its refusals."""

import json
import os
import sys
from pathlib import Path

STORE = Path(os.environ["FAKE_GH"])


def main(words: list[str]) -> int:
    """`pr list`, `pr create`, `pr view`, in the words of the real one's manual."""
    kept = json.loads(STORE.read_text()) if STORE.exists() else {"pulls": [], "calls": []}
    kept["calls"].append(words)
    try:
        return act(words, kept)
    finally:
        STORE.write_text(json.dumps(kept))


def act(words: list[str], kept: dict[str, list[object]]) -> int:
    trouble = os.environ.get("FAKE_GH_TROUBLE")
    if trouble == "auth":
        print("To get started with GitHub CLI, please run:  gh auth login", file=sys.stderr)
        return 4
    if trouble == "html":
        print("<html>")
        return 0
    options = dict(zip(words[2::2], words[3::2], strict=False))
    pulls: list[dict[str, object]] = kept["pulls"]  # type: ignore[assignment]  # what this file itself wrote
    match words[:2]:
        case ["pr", "list"]:
            found = [each for each in pulls if each["head"] == options["--head"] and each["state"] == "OPEN"]
            print(json.dumps([{"number": each["number"], "url": each["url"]} for each in found]))
        case ["pr", "create"]:
            number = len(pulls) + 1
            url = f"https://git.example/o/r/pull/{number}"
            made = {
                "number": number,
                "url": url,
                "state": "OPEN",
                "head": options["--head"],
                "base": options.get("--base"),
            }
            pulls.append(made | {"title": options["--title"], "body": sys.stdin.read()})
            print(url)
        case ["pr", "view"]:
            print(json.dumps({"state": next(each["state"] for each in pulls if each["url"] == words[2])}))
        case _:
            print(f"unknown command {words}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
