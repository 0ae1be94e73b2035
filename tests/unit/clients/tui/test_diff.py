"""A patch: what belongs to which file, folded and not."""

import time

from clients.tui.diff import Shown, patch_of

TWO = """diff --git a/a.py b/a.py
index 1..2 100644
--- a/a.py
+++ b/a.py
@@ -1,2 +1,2 @@
-x = 1
+x = 2  # [bold]
 y
diff --git "a/b \\" c" "b/b \\" c"
new file mode 100644
--- /dev/null
+++ b/b
@@ -0,0 +1 @@
+\x1b[2Jhostile
"""


def test_files_are_counted_and_folded() -> None:
    patch = patch_of(TWO)
    assert [(file.added, file.removed) for file in patch.files] == [(1, 1), (1, 0)]
    opened = Shown(patch, patch.begin_open())
    folded = Shown(patch, frozenset())
    assert [strip.text for strip in folded] == ["▸ a.py  +1 -1", '▸ b \\" c  +1 -0']
    assert len(opened) == len(TWO.splitlines())
    assert (opened.file_at(3), opened.file_at(len(opened) - 1), opened.heading_of(1)) == (0, 1, 8)
    assert opened.is_heading(8)
    assert not opened.is_heading(9)


def test_lines_are_shown_as_they_are_and_harmless() -> None:
    texts = [strip.text for strip in Shown(patch_of(TWO), frozenset({0, 1}))]
    assert "+x = 2  # [bold]" in texts
    assert "-x = 1" in texts
    assert "+\ufffd[2Jhostile" in texts


def test_what_is_no_patch_is_shown_all_the_same() -> None:
    shown = Shown(patch_of("Binary files differ\nx"), frozenset())
    assert [strip.text for strip in shown] == ["Binary files differ", "x"]


def test_five_megabytes_are_taken_apart_once_and_drawn_where_one_looks() -> None:
    body = "".join(f"+line {number} of a long file\n" for number in range(200_000))
    began = time.process_time()
    shown = Shown(patch_of(f"diff --git a/x.py b/x.py\n@@ -0,0 +1 @@\n{body}"), frozenset({0}))
    assert shown[len(shown) - 1].text == "+line 199999 of a long file"
    assert len(shown) == 200_002
    assert time.process_time() - began < 5  # it would take minutes to draw them all
