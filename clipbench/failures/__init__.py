"""Taxonomy, sampling, label normalisation and merge policies of retrieval failures. Pure."""
