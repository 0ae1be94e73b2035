"""The store's disk: SQLAlchemy Core over SQLite, migrated by alembic."""
