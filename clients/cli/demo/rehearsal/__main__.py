"""Run the rehearsal agent from its directory, without an installed package: `python3 -S DIRECTORY`."""

import os
import sys

if not __package__:
    # Python put this directory first on its path; the packages are found from the one that holds `clients`.
    # It goes last, so that nothing beside `clients` can stand in for a part of the standard library.
    here = sys.path.pop(0)
    sys.path.append(os.path.abspath(os.path.join(here, *[os.pardir] * 4)))

from clients.cli.demo.rehearsal.agent import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
