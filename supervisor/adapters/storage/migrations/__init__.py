"""Brings an older database to the present schema. Imported only when there is one: alembic takes its time."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

SCRIPTS = Path(__file__).parent


def upgrade(connection: Connection, scripts: Path = SCRIPTS) -> None:
    """Run what is missing, in the caller's transaction: all of it or nothing."""
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
