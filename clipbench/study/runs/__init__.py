"""Stored runs as studies and exports need them."""
