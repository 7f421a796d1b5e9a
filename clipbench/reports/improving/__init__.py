"""Tables of what an improvement brings: all queries first, then failures and matched successes, with placebos."""
