"""The command line: parses, calls one function, prints. One module per command group."""
