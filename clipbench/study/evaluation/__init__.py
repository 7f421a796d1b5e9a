"""From embedding sets and a protocol to a stored run: galleries, folds, ledgers, metrics."""
