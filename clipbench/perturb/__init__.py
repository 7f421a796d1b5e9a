"""Corruptions of captions and photographs: seeded per item, audited, registered. Pure."""
