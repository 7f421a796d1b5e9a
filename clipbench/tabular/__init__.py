"""Tables of text that people bring (CSV, TSV and their kin), read in one way wherever they are read.

Knows bytes, encodings, separators, quotation marks and lines; knows no column's meaning.
"""
