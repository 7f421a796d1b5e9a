"""Figures from plain numbers: curves, small multiples and heat maps, ready for paper."""
