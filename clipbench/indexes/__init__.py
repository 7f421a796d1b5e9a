"""Indexes: the first K items of a gallery for a query vector, exactly or nearly. No store, no model."""
