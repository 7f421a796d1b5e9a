"""The page to look through a store with: tables, comparisons, pictures and curves, read and never written."""
