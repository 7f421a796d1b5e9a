"""Adapters on stored vectors: what they are trained on, how they are found again, and as sources of vectors."""
