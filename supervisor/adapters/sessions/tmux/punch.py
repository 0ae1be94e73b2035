"""Freeing the old part of a file in place. Python has no binding for it."""

import ctypes
import os
from collections.abc import Callable

Punch = Callable[[int, int, int], None]
"""(file descriptor, offset, length): give the blocks back, keep the size; the range reads as zeros afterwards."""

_KEEP_SIZE = 0x01
_PUNCH_HOLE = 0x02

_libc = ctypes.CDLL(None, use_errno=True)


def punch_hole(descriptor: int, offset: int, length: int) -> None:
    """Linux's `fallocate(2)`. Raises OSError, with EOPNOTSUPP where the file system cannot."""
    fallocate = getattr(_libc, "fallocate64", None) or _libc.fallocate
    arguments = (
        ctypes.c_int(descriptor),
        ctypes.c_int(_KEEP_SIZE | _PUNCH_HOLE),
        ctypes.c_int64(offset),
        ctypes.c_int64(length),
    )
    if fallocate(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
