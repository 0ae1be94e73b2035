"""Screens with the SGR sequences that they are shown in."""

import re
from typing import Final

PLAIN: Final = "p"
DIM: Final = "d"
INVERSE: Final = "i"
_SGR: Final = re.compile("\x1b\\[([0-9;:]*)m")
_COLOUR: Final = re.compile(r"[345]8[;:](?:5[;:]\d+|2(?:[;:]\d*){3})")


def read(screen: str) -> tuple[str, str]:
    """A styled screen's text, and how each character of it looks."""
    text, looks = list[str](), list[str]()
    dim = inverse = False
    for number, piece in enumerate(_SGR.split(screen)):
        if number % 2 == 0:
            text.append(piece)
            looks.append((DIM if dim else INVERSE if inverse else PLAIN) * len(piece))
            continue
        for code in _COLOUR.sub("39", piece).split(";"):
            match code:
                case "0" | "":
                    dim = inverse = False
                case "2" | "22":
                    dim = code == "2"
                case "7" | "27":
                    inverse = code == "7"
    return "".join(text), "".join(looks)
