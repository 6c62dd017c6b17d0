"""Let tasks have settings of their own."""

import sqlalchemy as sa
from alembic import op

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    # in place: on SQLite anything else copies the table
    op.add_column('tasks', sa.Column('settings', sa.Text(), server_default=sa.text("'{}'"), nullable=False))
