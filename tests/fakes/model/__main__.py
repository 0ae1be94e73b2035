"""The stand-in as a process: `python -m tests.fakes.model [--port N]` says where it listens and what it is asked."""

import argparse
import json
import math

import trio

from tests.fakes.model.server import Asked, serving


def line(asked: Asked) -> str:
    """A request for the model as one line of JSON."""
    shown = {
        "number": asked.number,
        "conversation": asked.dialogue.conversation,
        "side": asked.side,
        "turn": len(asked.dialogue.prompts),
        "prompt": asked.prompt,
        "results": asked.dialogue.results,
        "moves": [repr(move) for move in asked.moves],
    }
    return json.dumps(shown, ensure_ascii=False)


async def main(port: int) -> None:
    async with serving(port) as model:
        print(f"listens on {model.url}", flush=True)
        shown = 0
        while True:
            asked = await model.asked.until(lambda _: True, since=shown, within=math.inf)
            print(line(asked), flush=True)
            shown += 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    trio.run(main, parser.parse_args().port)
