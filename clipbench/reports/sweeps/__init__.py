"""Sweeps and stressed galleries as tables and figures."""
