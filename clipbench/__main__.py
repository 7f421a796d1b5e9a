"""Where `clipbench` and `python -m clipbench` begin: Ctrl-C ends them quietly from the first moment on."""

import atexit
import gc
import sys

COLLECT_AFTER = 250_000
"""New objects after which Python looks for garbage, in place of 700: imports alone make 130,000 to 160,000, to stay."""


def main() -> None:
    """Run the command line, whose modules are still to be imported."""
    gc.set_threshold(COLLECT_AFTER, 20, 20)
    # On its way out Python looks through all there is, several times, for what the system takes back at once anyway.
    atexit.register(gc.freeze)
    try:
        from clipbench.cli.app import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
