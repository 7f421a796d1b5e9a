"""Adapters: small heads on frozen vectors, their losses and their training. Torch; no store."""
