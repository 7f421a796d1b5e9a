"""Where and with what a command works: its store, its environment, how far it is."""
