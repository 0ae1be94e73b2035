"""The schema in code, the schema that the migrations make, and the way from one to the other."""

import hashlib
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from supervisor.adapters.storage import disk as disk_module
from supervisor.adapters.storage import migrations, sqlite
from supervisor.adapters.storage.disk import SqlDisk
from supervisor.adapters.storage.tables import HEAD, REVISIONS, metadata
from supervisor.domain.errors import StoreError
from supervisor.ports import Setting

REPOSITORY = Path(__file__).parents[2]


def by_migrations(path: Path) -> None:
    sqlite.create(path, migrations.upgrade)


def by_code(path: Path) -> None:
    disk = SqlDisk(path)
    disk.open()
    disk.close()


def described(connection: Connection) -> dict[str, object]:
    """Everything there is to say about a schema, in an order of its own."""
    look = inspect(connection)
    return {
        table: (
            [(each["name"], str(each["type"]), each["nullable"]) for each in look.get_columns(table)],
            look.get_pk_constraint(table)["constrained_columns"],
            sorted((each["name"], each["column_names"]) for each in look.get_indexes(table)),
            sorted((each["name"], each["column_names"]) for each in look.get_unique_constraints(table)),
            look.get_foreign_keys(table),
        )
        for table in look.get_table_names()
    }


@pytest.mark.parametrize("make", [by_migrations, by_code])
def test_the_schema_in_code_is_the_one_in_the_database(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "operator.db")
    with sqlite.looking(tmp_path / "operator.db", 1.0) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == HEAD


def test_a_new_database_is_like_one_that_was_migrated_from_the_first(tmp_path: Path) -> None:
    by_migrations(tmp_path / "one.db")
    by_code(tmp_path / "two.db")
    with sqlite.looking(tmp_path / "one.db", 1.0) as one, sqlite.looking(tmp_path / "two.db", 1.0) as two:
        assert described(one) == described(two)


def test_the_revisions_known_in_code_are_the_scripts() -> None:
    scripts = ScriptDirectory(str(migrations.SCRIPTS))
    assert tuple(reversed([each.revision for each in scripts.walk_revisions()])) == REVISIONS


def test_starting_does_not_import_alembic(tmp_path: Path) -> None:
    script = """
        import sys
        from pathlib import Path
        from supervisor.adapters.storage.disk import SqlDisk
        for _ in range(2):
            disk = SqlDisk(Path(sys.argv[1]))
            disk.open()
            disk.close()
        sys.exit("alembic" in sys.modules)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "operator.db")]
    assert subprocess.run(command, cwd=REPOSITORY, check=False, timeout=60).returncode == 0


# --- from an older schema ---------------------------------------------------------------------------

NEXT = """
from alembic import op
from sqlalchemy import Column, Text

revision = "next"
down_revision = {head!r}


def upgrade() -> None:
    op.create_table("notes", Column("name", Text, primary_key=True))
    op.execute("UPDATE settings SET data = replace(data, 'old', 'new')")
"""


def one_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """A database of today, and an Operator of tomorrow that knows one schema more."""
    path = tmp_path / "operator.db"
    disk = SqlDisk(path)
    disk.open()
    disk.commit([Setting("a", "old")], [], durable=True)
    disk.close()
    scripts = tmp_path / "scripts 100%"
    shutil.copytree(migrations.SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    (scripts / "versions" / "next.py").write_text(script.format(head=HEAD))
    monkeypatch.setattr(disk_module, "REVISIONS", (*REVISIONS, "next"))
    monkeypatch.setattr(disk_module, "HEAD", "next")
    monkeypatch.setattr(migrations, "upgrade", partial(migrations.upgrade, scripts=scripts))
    return path


def test_an_older_database_is_migrated_when_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = one_more(tmp_path, monkeypatch, NEXT)
    disk = SqlDisk(path)
    disk.open()
    assert disk.load(Setting) == [Setting("a", "new")]
    disk.close()
    raw = sqlite3.connect(path)
    assert raw.execute("SELECT version_num FROM alembic_version").fetchall() == [("next",)]
    assert raw.execute("SELECT * FROM notes").fetchall() == []
    raw.close()


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = one_more(tmp_path, monkeypatch, NEXT + '    op.execute("UPDATE nowhere SET x = 1")\n')
    before = hashlib.sha256(path.read_bytes()).digest()
    with pytest.raises(StoreError, match="nowhere"):
        SqlDisk(path).open()
    assert hashlib.sha256(path.read_bytes()).digest() == before
    monkeypatch.undo()
    disk = SqlDisk(path)
    disk.open()
    assert disk.load(Setting) == [Setting("a", "old")]
    disk.close()
