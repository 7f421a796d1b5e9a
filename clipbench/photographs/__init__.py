"""Photographs: one way to open them for every use, within limits; and resizing that makes only what is kept."""
