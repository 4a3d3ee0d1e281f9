"""Rows out of files that people send: CSV, XLSX, JSON. One at a time, and nothing silently dropped.

    with open_table(path) as table:
        for row in table:                  # Row(line, values) or RowProblem(line, reason)
            table.bytes_read, table.bytes_total

What is wrong with one row comes out in that row's place as a `RowProblem`; what is wrong with the file is
raised, before the first row wherever that can be known (size, encoding, heading, zip directory).
"""

from clarion.kit.tabular.model import Limits, Row, RowProblem, Table
from clarion.kit.tabular.source import open_table

__all__ = ["Limits", "Row", "RowProblem", "Table", "open_table"]
