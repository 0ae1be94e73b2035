"""Files of one launch, which nobody but the agent's own user may read."""

import os
from pathlib import Path

from supervisor.domain.errors import DriverError


def write(driver: str, folder: Path, name: str, text: str) -> Path:
    """Write a file of mode 0600 whole, or not at all. Raises DriverError if it cannot be written."""
    path = folder / name
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = folder / f"{name}.new"
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        temporary.replace(path)
    except OSError as error:
        raise DriverError(
            f"The settings of driver {driver} could not be written: {error.strerror}.",
            hint="Free some space, or correct the rights of the state directory.",
        ) from None
    return path
