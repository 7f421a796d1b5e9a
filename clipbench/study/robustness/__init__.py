"""Sweeps over perturbations, galleries under stress, and what their runs say together."""
