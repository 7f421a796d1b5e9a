"""Encoding on the workers of a Ray cluster: the same plan, the same shard files, rows by this process alone."""
