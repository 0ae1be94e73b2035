"""The parts of the rehearsal agent that need no terminal."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from clients.cli.demo.rehearsal.keys import Composer, Decoder, Kind
from clients.cli.demo.rehearsal.screen import cut
from clients.cli.demo.rehearsal.script import Script, unescape
from tests.unit.clients.rehearsal.stage import framed


@settings(max_examples=300, deadline=None)
@given(
    data=st.lists(
        st.one_of(
            st.sampled_from(
                [
                    b"\x1b[200~",
                    b"\x1b[201~",
                    b"\x1b",
                    b"\x1b[",
                    b"\x1b]",
                    b"\x1b]11;rgb:0/0/0\x07",
                    b"\r",
                    b"\x03",
                    b"\x7f",
                ]
            ),
            st.binary(max_size=5),
        ),
        max_size=20,
    ).map(b"".join),
    cuts=st.lists(st.integers(0, 100), max_size=10).map(sorted),
)
def test_cuts_do_not_matter_to_the_decoder(data: bytes, cuts: list[int]) -> None:
    def joined(*pieces: bytes) -> list[tuple[Kind, bytes]]:
        decoder = Decoder()
        result: list[tuple[Kind, bytes]] = []
        for kind, found in [found for piece in pieces for found in decoder.feed(piece)] + decoder.expire():
            if kind is Kind.TEXT and result and result[-1][0] is Kind.TEXT:
                result[-1] = (kind, result[-1][1] + found)
            else:
                result.append((kind, found))
        return result

    whole = joined(data)
    assert joined(*(data[a:b] for a, b in pairwise([0, *cuts, len(data)]))) == whole


@settings(max_examples=200, deadline=None)
@given(before=st.binary(max_size=20), text=st.binary(max_size=200))
def test_no_key_before_a_paste_takes_a_byte_of_it(before: bytes, text: bytes) -> None:
    text = text.replace(b"\x1b[201~", b"")
    decoder = Decoder()
    # Whatever was typed: a finger is slower than the time after which an ESC is a key.
    found = [*decoder.feed(before.replace(b"\x1b[200~", b"")), *decoder.expire(), *decoder.feed(framed(text))]
    assert found[-1] == (Kind.PASTE, text)


def test_erasing_takes_whole_characters() -> None:
    composer = Composer()
    composer.insert("a✳é".encode())
    composer.erase()
    composer.erase()
    assert composer.take() == b"a"
    composer.erase()
    assert not composer


def test_a_script_is_found_in_any_prompt() -> None:
    prompt = (
        "Ticket\r\n> rehearse: say quoted\r  - rehearse:  write a  b \nnot rehearse: say no\nrehearse:\nrehearse: quiet"
    )
    assert Script(1).commands(prompt, 1) == [("say", "quoted"), ("write", "a  b"), ("quiet", "")]
    assert unescape(r"a\nb\\n\t\x") == "a\nb\\n\t\\x"


def test_conditions_and_later_prompts() -> None:
    script = Script(2)
    first = (
        "rehearse: attempt 1: crash 1\nrehearse: attempt 2: say again\nrehearse: turn 2: say nudged\nrehearse: say any"
    )
    assert script.commands(first, 1) == [("say", "again"), ("say", "any")]
    assert script.commands("Please go on.", 2) == [("say", "nudged")]
    assert script.commands("Please go on.", 3)[-1][0] == "say"
    assert Script(1).commands("rehearse: turn 2: say no", 1) == []


def test_the_composer_shows_the_end_that_fits() -> None:
    assert cut("abcdef", 3) == "def"
    assert cut("ab✳", 2) == "✳"
    assert cut("", 5) == ""
