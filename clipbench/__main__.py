"""`python -m clipbench` is the same as `clipbench`."""

from clipbench.cli.app import main

main()
