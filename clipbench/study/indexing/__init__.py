"""Indexes of stored vectors: built and opened with care, ranked through as stored runs, and judged by what they lose."""
