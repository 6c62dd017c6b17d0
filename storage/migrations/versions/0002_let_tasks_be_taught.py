"""Let tasks be taught."""

import sqlalchemy as sa
from alembic import op

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None

# Of the log one thing may change now: what tells which picture it was, when that is erased.
KEPT = (
    'id', 'task_id', 'seq', 'label', 'person', 'variant_of', 'undoes', 'idempotency_key',
    'created_at', 'trusted', 'before_prediction', 'before_confidence', 'before_source',
)
BLANKED = "NEW.erased AND NOT OLD.erased AND NEW.sha256 = '' AND NEW.note = '' AND NEW.verdict_id IS NULL"
GUARDS = {
    "sqlite": [
        "DROP TRIGGER corrections_no_update",
        f"""
        CREATE TRIGGER corrections_no_update BEFORE UPDATE ON corrections
        WHEN NOT ({BLANKED} AND {" AND ".join(f"NEW.{name} IS OLD.{name}" for name in KEPT)})
        BEGIN SELECT RAISE(ABORT, 'corrections are append-only'); END
        """,
    ],
    "postgresql": [
        "DROP TRIGGER corrections_append_only ON corrections",
        """
        CREATE TRIGGER corrections_no_delete BEFORE DELETE OR TRUNCATE ON corrections
        FOR EACH STATEMENT EXECUTE FUNCTION corrections_refuse()
        """,
        f"""
        CREATE TRIGGER corrections_no_update BEFORE UPDATE ON corrections FOR EACH ROW
        WHEN (NOT ({BLANKED}
            AND {" AND ".join(f"NEW.{name} IS NOT DISTINCT FROM OLD.{name}" for name in KEPT)}))
        EXECUTE FUNCTION corrections_refuse()
        """,
    ],
}


def upgrade() -> None:
    # every column is added in place: a table copied by SQLite would lose its triggers
    op.add_column('corrections', sa.Column('trusted', sa.Boolean(), server_default=sa.text('true'), nullable=False))
    op.add_column('corrections', sa.Column('before_prediction', sa.Text(), nullable=True))
    op.add_column('corrections', sa.Column('before_confidence', sa.Double(), nullable=True))
    op.add_column('corrections', sa.Column('before_source', sa.Text(), nullable=True))
    op.add_column('corrections', sa.Column('erased', sa.Boolean(), server_default=sa.text('false'), nullable=False))
    op.create_index('corrections_task_id_person_created_at', 'corrections', ['task_id', 'person', 'created_at'])
    op.create_index('corrections_task_id_sha256_seq', 'corrections', ['task_id', 'sha256', 'seq'])
    op.create_index('corrections_task_id_label', 'corrections', ['task_id', 'label'])
    op.create_table('receipts',
    sa.Column('correction_id', sa.Text(), nullable=False),
    sa.Column('detail', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['correction_id'], ['corrections.id'], name=op.f('receipts_correction_id_of')),
    sa.PrimaryKeyConstraint('correction_id', name=op.f('receipts_pk'))
    )
    op.add_column('labels', sa.Column('taught_by', sa.Text(), nullable=True))
    op.add_column('labels', sa.Column('hidden', sa.Boolean(), server_default=sa.text('false'), nullable=False))
    op.add_column('variants', sa.Column('taught', sa.Boolean(), server_default=sa.text('false'), nullable=False))
    op.add_column('samples', sa.Column('taught', sa.Boolean(), server_default=sa.text('false'), nullable=False))
    op.create_index('samples_task_id_label', 'samples', ['task_id', 'label'])
    op.add_column('task_state', sa.Column('epoch', sa.Integer(), server_default=sa.text('0'), nullable=False))
    for statement in GUARDS[op.get_context().dialect.name]:
        op.execute(statement)
