"""Work by night."""

import sqlalchemy as sa
from alembic import op

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('clocks',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('host', sa.Text(), nullable=False),
    sa.Column('pid', sa.Integer(), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('next_run', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('clocks_pk'))
    )
    op.create_table('deliveries',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('event', sa.Text(), nullable=False),
    sa.Column('body', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('next_try_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('delivered_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_error', sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('deliveries_pk'))
    )
    op.create_index('deliveries_next_try_at', 'deliveries', ['next_try_at'])
    op.create_table('file_facts',
    sa.Column('sha256', sa.Text(), nullable=False),
    sa.Column('recipe', sa.Text(), nullable=False),
    sa.Column('facts', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('sha256', 'recipe', name=op.f('file_facts_pk'))
    )
    op.create_table('schedule',
    sa.Column('id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('since', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('id = 1', name=op.f('schedule_only_one')),
    sa.PrimaryKeyConstraint('id', name=op.f('schedule_pk'))
    )
    op.create_table('changes',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('task_id', sa.Integer(), nullable=False),
    sa.Column('version', sa.Text(), nullable=False),
    sa.Column('sha256', sa.Text(), nullable=False),
    sa.Column('verdict_id', sa.Text(), nullable=False),
    sa.Column('before', sa.Text(), nullable=False),
    sa.Column('after', sa.Text(), nullable=False),
    sa.Column('confidence', sa.Double(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['task_id'], ['tasks.id'], name=op.f('changes_task_id_of')),
    sa.PrimaryKeyConstraint('id', name=op.f('changes_pk'))
    )
    op.create_index('changes_sha256', 'changes', ['sha256'])
    op.create_index('changes_task_id_version', 'changes', ['task_id', 'version'])
    op.create_table('crawls',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('task_id', sa.Integer(), nullable=False),
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('query', sa.Text(), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('counts', sa.Text(), nullable=False),
    sa.Column('ended', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['task_id'], ['tasks.id'], name=op.f('crawls_task_id_of')),
    sa.PrimaryKeyConstraint('id', name=op.f('crawls_pk'))
    )
    op.create_index('crawls_task_id_started_at', 'crawls', ['task_id', 'started_at'])
    op.create_table('cursors',
    sa.Column('task_id', sa.Integer(), nullable=False),
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('query', sa.Text(), nullable=False),
    sa.Column('cursor', sa.Text(), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['task_id'], ['tasks.id'], name=op.f('cursors_task_id_of')),
    sa.PrimaryKeyConstraint('task_id', 'source', 'query', name=op.f('cursors_pk'))
    )
    op.create_table('measurements',
    sa.Column('task_id', sa.Integer(), nullable=False),
    sa.Column('version', sa.Text(), nullable=False),
    sa.Column('what', sa.Text(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('n', sa.Integer(), nullable=False),
    sa.Column('right', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['task_id'], ['tasks.id'], name=op.f('measurements_task_id_of')),
    sa.PrimaryKeyConstraint('task_id', 'version', 'what', name=op.f('measurements_pk'))
    )
    op.create_table('seen',
    sa.Column('task_id', sa.Integer(), nullable=False),
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('url', sa.Text(), nullable=False),
    sa.Column('outcome', sa.Text(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('sha256', sa.Text(), nullable=True),
    sa.Column('etag', sa.Text(), nullable=True),
    sa.Column('last_modified', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['task_id'], ['tasks.id'], name=op.f('seen_task_id_of')),
    sa.PrimaryKeyConstraint('task_id', 'source', 'key', name=op.f('seen_pk'))
    )
    op.create_index('seen_sha256', 'seen', ['sha256'])
    op.create_table('nights',
    sa.Column('slot', sa.Text(), nullable=False),
    sa.Column('due', sa.DateTime(timezone=True), nullable=False),
    sa.Column('taken_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('job_id', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('nights_job_id_of')),
    sa.PrimaryKeyConstraint('slot', name=op.f('nights_pk')),
    sa.UniqueConstraint('job_id', name=op.f('nights_job_id_once'))
    )
    # in place: on SQLite anything else copies the table
    op.add_column('jobs', sa.Column('holder', sa.Text(), nullable=True))
    op.add_column('jobs', sa.Column('beats', sa.Integer(), server_default=sa.text('0'), nullable=False))
    op.add_column('jobs', sa.Column('attempts', sa.Integer(), server_default=sa.text('0'), nullable=False))
    op.add_column('jobs', sa.Column('cancelled', sa.Boolean(), server_default=sa.text('false'), nullable=False))
    op.add_column('jobs', sa.Column('kept', sa.Text(), server_default=sa.text("'{}'"), nullable=False))
    op.drop_column('jobs', 'heartbeat_at')
    op.add_column('promotions', sa.Column('back', sa.Boolean(), server_default=sa.text('false'), nullable=False))
    op.add_column('runs', sa.Column('job_id', sa.Text(), nullable=True))
    op.add_column('runs', sa.Column('detail', sa.Text(), server_default=sa.text("'{}'"), nullable=False))
    op.create_index('samples_task_id_added_at', 'samples', ['task_id', 'added_at'])
