"""Serving pages on this machine: who may talk to one, how it is reached, how it listens. Knows no page."""
