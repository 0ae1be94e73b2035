"""alembic runs this for each of its commands; `migrations.upgrade` says on which connection."""

from alembic import context

from supervisor.adapters.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
