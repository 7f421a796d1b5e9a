"""Where `clipbench` and `python -m clipbench` begin: Ctrl-C ends them quietly from the first moment on."""

import gc
import sys

COLLECT_AFTER = 100_000
"""New objects after which Python looks for garbage, in place of 700: hundreds of thousands are made by imports, to stay."""


def main() -> None:
    """Run the command line, whose modules are still to be imported."""
    gc.set_threshold(COLLECT_AFTER, 20, 20)
    try:
        from clipbench.cli.app import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
