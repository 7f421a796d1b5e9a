"""Re-ranking: other scores for the same pairs, from the scores alone or from words. Pure."""
