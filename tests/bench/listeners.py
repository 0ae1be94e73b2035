"""Many subscribers of the activity in one process that costs little: `python3 listeners.py PORT COUNT SECONDS STALLED`.

The token comes by standard input. It says `ready` on standard output when all are connected, then, in the end, one
JSON object: the lateness of each metronome's stamp in each frame, in ms, and how many each subscriber got.
"""

import json
import re
import selectors
import socket
import sys
import time

PATIENCE = 1.0
"""Seconds in which what was said last must come."""
_STAMP = re.compile(rb'"evidence":"[^" ]+ ([0-9]+\.[0-9]{6})"')
_HANDSHAKE = (
    "GET /api/v1/activity?kinds=agent.running,agent.idle HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Authorization: Bearer {token}\r\n\r\n"
)


def subscribe(port: int, token: str, *, small: bool = False) -> socket.socket:
    """A subscriber from now on; its `hello` is read."""
    made = socket.socket()
    if small:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.connect(("127.0.0.1", port))
    made.sendall(_HANDSHAKE.format(port=port, token=token).encode())
    said = b""
    while b'"hello"' not in said:
        said += made.recv(4096)
    made.setblocking(False)
    return made


def listen(subscribers: list[socket.socket], seconds: float) -> tuple[list[float], list[int]]:
    """How late each stamp of the coming `seconds` came, and how many of them came to each subscriber."""
    selector = selectors.DefaultSelector()
    for number, each in enumerate(subscribers):
        selector.register(each, selectors.EVENT_READ, number)
    late: list[float] = []
    counts, rest = [0] * len(subscribers), [b""] * len(subscribers)
    first = time.monotonic()
    last = first + seconds
    while (left := last + PATIENCE - time.monotonic()) > 0:
        for key, _ in selector.select(left):
            data = subscribers[key.data].recv(262144)
            now = time.monotonic()
            text = rest[key.data] + data
            used = 0
            for found in _STAMP.finditer(text):
                used = found.end()
                said = float(found[1])
                if first <= said < last:
                    late.append(1000 * (now - said))
                    counts[key.data] += 1
            rest[key.data] = text[used:][-512:]
    return late, counts


def main() -> None:
    port, count, seconds, stalled = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    token = sys.stdin.readline().strip()
    kept = [subscribe(port, token, small=True) for _ in range(stalled)]
    subscribers = [subscribe(port, token) for _ in range(count)]
    print("ready", flush=True)
    late, counts = listen(subscribers, seconds)
    print(json.dumps({"late": [round(each, 3) for each in late], "counts": counts, "stalled": len(kept)}))


if __name__ == "__main__":
    main()
