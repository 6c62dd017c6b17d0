"""Make the first tables."""

import sqlalchemy as sa
from alembic import op

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None

# The log of corrections is append-only, whoever writes to it.
GUARDS = {
    "sqlite": [
        f"""
        CREATE TRIGGER corrections_no_{what.lower()} BEFORE {what} ON corrections
        BEGIN SELECT RAISE(ABORT, 'corrections are append-only'); END
        """
        for what in ("UPDATE", "DELETE")
    ],
    "postgresql": [
        """
        CREATE FUNCTION corrections_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'corrections are append-only'; END $$
        """,
        """
        CREATE TRIGGER corrections_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON corrections
        FOR EACH STATEMENT EXECUTE FUNCTION corrections_refuse()
        """,
    ],
}


def upgrade() -> None:
    op.create_table('overrides',
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('value', sa.Text(), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('key', name=op.f('overrides_pk'))
    )
    op.create_table('pictures',
    sa.Column('sha256', sa.Text(), nullable=False),
    sa.Column('width', sa.Integer(), nullable=False),
    sa.Column('height', sa.Integer(), nullable=False),
    sa.Column('format', sa.Text(), nullable=False),
    sa.Column('n_bytes', sa.BigInteger(), nullable=False),
    sa.Column('phash', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('sha256', name=op.f('pictures_pk'))
    )
    op.create_table('tasks',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('open', sa.Boolean(), nullable=False),
    sa.Column('prompts', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('archived_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('tasks_pk'))
    )
    with op.batch_alter_table('tasks', schema=None) as batch_op:
        batch_op.create_index('tasks_live_name', ['name'], unique=True, sqlite_where=sa.text('archived_at IS NULL'), postgresql_where=sa.text('archived_at IS NULL'))

    op.create_table('vectors',
    sa.Column('embedder', sa.Text(), nullable=False),
    sa.Column('sha256', sa.Text(), nullable=False),
    sa.Column('vector', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('embedder', 'sha256', name=op.f('vectors_pk'))
    )
    op.create_table('jobs',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('task_id', sa.Integer(), nullable=True),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('slot', sa.Text(), nullable=True),
    sa.Column('request', sa.Text(), nullable=False),
    sa.Column('done', sa.Integer(), nullable=False),
    sa.Column('total', sa.Integer(), nullable=False),
    sa.Column('stage', sa.Text(), nullable=False),
    sa.Column('result', sa.Text(), nullable=True),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('heartbeat_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("status IN ('queued', 'running', 'done', 'failed')", name=op.f('jobs_status_known')),
    sa.ForeignKeyConstraint(['task_id'], ['tasks.id'], name=op.f('jobs_task_id_of')),
    sa.PrimaryKeyConstraint('id', name=op.f('jobs_pk')),
    sa.UniqueConstraint('slot', name=op.f('jobs_slot_once'))
    )
    with op.batch_alter_table('jobs', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('jobs_status_created_at'), ['status', 'created_at'], unique=False)

    op.create_table('labels',
    sa.Column('task_id', sa.Integer(), nullable=False),
    sa.Column('label', sa.Text(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['task_id'], ['tasks.id'], name=op.f('labels_task_id_of')),
    sa.PrimaryKeyConstraint('task_id', 'label', name=op.f('labels_pk'))
    )
    op.create_table('model_versions',
    sa.Column('task_id', sa.Integer(), nullable=False),
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('embedder', sa.Text(), nullable=False),
    sa.Column('classifier', sa.Text(), nullable=False),
    sa.Column('sha256', sa.Text(), nullable=False),
    sa.Column('demo', sa.Boolean(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('card', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['task_id'], ['tasks.id'], name=op.f('model_versions_task_id_of')),
    sa.PrimaryKeyConstraint('task_id', 'id', name=op.f('model_versions_pk'))
    )
    op.create_table('quarantine',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('task_id', sa.Integer(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('sha256', sa.Text(), nullable=True),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('message', sa.Text(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('fingerprint', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['task_id'], ['tasks.id'], name=op.f('quarantine_task_id_of')),
    sa.PrimaryKeyConstraint('id', name=op.f('quarantine_pk')),
    sa.UniqueConstraint('task_id', 'fingerprint', name=op.f('quarantine_task_id_fingerprint_once'))
    )
    op.create_table('runs',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('task_id', sa.Integer(), nullable=False),
    sa.Column('why', sa.Text(), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('counts', sa.Text(), nullable=False),
    sa.Column('metrics', sa.Text(), nullable=False),
    sa.Column('gate', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('version', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['task_id'], ['tasks.id'], name=op.f('runs_task_id_of')),
    sa.PrimaryKeyConstraint('id', name=op.f('runs_pk'))
    )
    with op.batch_alter_table('runs', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('runs_task_id_started_at'), ['task_id', 'started_at'], unique=False)

    op.create_table('verdicts',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('task_id', sa.Integer(), nullable=False),
    sa.Column('sha256', sa.Text(), nullable=False),
    sa.Column('prediction', sa.Text(), nullable=False),
    sa.Column('confidence', sa.Double(), nullable=False),
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('model_version', sa.Text(), nullable=True),
    sa.Column('embedder', sa.Text(), nullable=False),
    sa.Column('trained_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('corrections', sa.Integer(), nullable=False),
    sa.Column('demo', sa.Boolean(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('detail', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['task_id'], ['tasks.id'], name=op.f('verdicts_task_id_of')),
    sa.PrimaryKeyConstraint('id', name=op.f('verdicts_pk'))
    )
    with op.batch_alter_table('verdicts', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('verdicts_task_id_created_at'), ['task_id', 'created_at'], unique=False)
        batch_op.create_index(batch_op.f('verdicts_task_id_sha256'), ['task_id', 'sha256'], unique=False)

    op.create_table('corrections',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('task_id', sa.Integer(), nullable=False),
    sa.Column('seq', sa.Integer(), nullable=False),
    sa.Column('sha256', sa.Text(), nullable=False),
    sa.Column('label', sa.Text(), nullable=False),
    sa.Column('person', sa.Text(), nullable=False),
    sa.Column('verdict_id', sa.Text(), nullable=True),
    sa.Column('variant_of', sa.Text(), nullable=True),
    sa.Column('note', sa.Text(), nullable=False),
    sa.Column('undoes', sa.Text(), nullable=True),
    sa.Column('idempotency_key', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['task_id', 'label'], ['labels.task_id', 'labels.label'], name=op.f('corrections_task_id_label_of')),
    sa.ForeignKeyConstraint(['task_id'], ['tasks.id'], name=op.f('corrections_task_id_of')),
    sa.ForeignKeyConstraint(['undoes'], ['corrections.id'], name=op.f('corrections_undoes_of')),
    sa.PrimaryKeyConstraint('id', name=op.f('corrections_pk')),
    sa.UniqueConstraint('task_id', 'idempotency_key', name=op.f('corrections_task_id_idempotency_key_once')),
    sa.UniqueConstraint('task_id', 'seq', name=op.f('corrections_task_id_seq_once')),
    sa.UniqueConstraint('undoes', name=op.f('corrections_undoes_once'))
    )
    op.create_table('promotions',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('task_id', sa.Integer(), nullable=False),
    sa.Column('version', sa.Text(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('why', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['task_id', 'version'], ['model_versions.task_id', 'model_versions.id'], name=op.f('promotions_task_id_version_of')),
    sa.ForeignKeyConstraint(['task_id'], ['tasks.id'], name=op.f('promotions_task_id_of')),
    sa.PrimaryKeyConstraint('id', name=op.f('promotions_pk'))
    )
    with op.batch_alter_table('promotions', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('promotions_task_id_id'), ['task_id', 'id'], unique=False)

    op.create_table('samples',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('task_id', sa.Integer(), nullable=False),
    sa.Column('sha256', sa.Text(), nullable=False),
    sa.Column('label', sa.Text(), nullable=False),
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('family', sa.Text(), nullable=False),
    sa.Column('split', sa.Text(), nullable=False),
    sa.Column('license', sa.Text(), nullable=False),
    sa.Column('author', sa.Text(), nullable=False),
    sa.Column('page_url', sa.Text(), nullable=False),
    sa.Column('demo', sa.Boolean(), nullable=False),
    sa.Column('unreadable', sa.Boolean(), nullable=False),
    sa.Column('added_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['sha256'], ['pictures.sha256'], name=op.f('samples_sha256_of')),
    sa.ForeignKeyConstraint(['task_id', 'label'], ['labels.task_id', 'labels.label'], name=op.f('samples_task_id_label_of')),
    sa.ForeignKeyConstraint(['task_id'], ['tasks.id'], name=op.f('samples_task_id_of')),
    sa.PrimaryKeyConstraint('id', name=op.f('samples_pk')),
    sa.UniqueConstraint('task_id', 'sha256', name=op.f('samples_task_id_sha256_once')),
    sqlite_autoincrement=True
    )
    op.create_table('task_state',
    sa.Column('task_id', sa.Integer(), nullable=False),
    sa.Column('counter', sa.Integer(), nullable=False),
    sa.Column('corrections', sa.Integer(), nullable=False),
    sa.Column('current', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['task_id', 'current'], ['model_versions.task_id', 'model_versions.id'], name=op.f('task_state_task_id_current_of')),
    sa.ForeignKeyConstraint(['task_id'], ['tasks.id'], name=op.f('task_state_task_id_of')),
    sa.PrimaryKeyConstraint('task_id', name=op.f('task_state_pk'))
    )
    op.create_table('variants',
    sa.Column('task_id', sa.Integer(), nullable=False),
    sa.Column('variant', sa.Text(), nullable=False),
    sa.Column('label', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['task_id', 'label'], ['labels.task_id', 'labels.label'], name=op.f('variants_task_id_label_of')),
    sa.PrimaryKeyConstraint('task_id', 'variant', name=op.f('variants_pk'))
    )
    for statement in GUARDS[op.get_context().dialect.name]:
        op.execute(statement)
