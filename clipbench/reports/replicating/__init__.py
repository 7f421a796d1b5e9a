"""What became of a study that was done again."""
