"""Plan, encode, evaluate: the only place where datasets, encoders, metrics and the store meet."""
