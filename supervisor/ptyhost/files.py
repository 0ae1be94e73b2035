"""What a pty host leaves in its agent's folder, for whoever comes later.

record   who hosts whom, and where; it is there as long as the session is
status   how the agent ended
stamps   which deliveries were typed and submitted last
fault    the last error of the host itself, if there ever was one
lock     held by the host as long as it lives, and before that by whoever starts it

Each is written whole or not at all.
"""

import json
import os

RECORD, STATUS, STAMPS, FAULT, LOCK = "record", "status", "stamps", "fault", "lock"

_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_LIMIT = 65536
_FAULT_LIMIT = 8192


def write(folder: str, name: str, content: dict[str, object]) -> None:
    """Replace a file, for this user only. Raises OSError, and then has left the old one."""
    path = os.path.join(folder, name)
    part = f"{path}.part"
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(handle, json.dumps(content).encode("ascii"))
    finally:
        os.close(handle)
    os.replace(part, path)


def read(folder: str, name: str) -> dict[str, object] | None:
    """What a file says; None if there is none, or nothing that can be read."""
    try:
        with open(os.path.join(folder, name), "rb") as file:
            found = json.loads(file.read(_LIMIT))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def write_fault(folder: str, text: str) -> None:
    """Keep an error for whoever looks into it."""
    try:
        write(folder, FAULT, {"error": text[-_FAULT_LIMIT:]})
    except OSError:
        pass  # there is no other place to say it


def remove(folder: str, name: str) -> None:
    """Delete a file, if it is there."""
    try:
        os.unlink(os.path.join(folder, name))
    except FileNotFoundError:
        pass


def boot_id() -> str:
    """Names this run of the machine; empty where it has no such name."""
    try:
        with open(_BOOT_ID, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def start_of(pid: int) -> int:
    """When a process began, in clock ticks since the machine did: with its number it names it for good. 0: unknown."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0
