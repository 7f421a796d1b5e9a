"""Every table there is, for whoever needs them all: revisions, and tests of the schema.

Each of the modules declares some; commands import those that they use, since to declare a table takes milliseconds.
"""

from clipbench.store import adapter_tables, annotation_tables, index_tables, tables

MODULES = (tables, adapter_tables, annotation_tables, index_tables)

metadata = tables.Row.metadata
