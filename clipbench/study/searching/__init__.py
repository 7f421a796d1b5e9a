"""Search: a gallery of stored vectors, a query of words and pictures, and the photographs found first."""
