"""Vectors of a dataset: made by an encoder, imported, exported, and joined to sets."""
