"""Identifiers by the thousand without a function call each: all of `clarion_uuid7_nth` is immutable now, as
it always said, so that the planner puts its body in place and reckons what is the same for every row once.

`extract` of a moment depends on the zone for other fields than the epoch, so it counts as stable; that of an
interval does not. What comes of it is the same, for a tenth of the processor time: 0.6 µs a row, not 6.

Revision ID: 0029
"""

from __future__ import annotations

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def _define(epoch: str) -> None:
    op.execute(
        f"""CREATE OR REPLACE FUNCTION clarion_uuid7_nth(moment timestamptz, n bigint, noise uuid)
        RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
        AS $$
          SELECT (lpad(to_hex(({epoch} * 1000)::bigint), 12, '0')
            || to_hex(x'7000'::bigint | (n >> 12)) || to_hex(x'8000'::bigint | ((n & 4095) << 2))
            || right(noise::text, 12))::uuid
        $$"""
    )


def upgrade() -> None:
    """Make it."""
    _define("extract(epoch FROM moment - timestamptz 'epoch')")


def downgrade() -> None:
    """As it was."""
    _define("extract(epoch FROM moment)")
