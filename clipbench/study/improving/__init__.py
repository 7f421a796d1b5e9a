"""Improvements without training: other rankings of the same vectors, each a stored run beside the plain one."""
