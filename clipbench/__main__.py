"""Where `clipbench` and `python -m clipbench` begin: Ctrl-C ends them quietly from the first moment on."""

import sys


def main() -> None:
    """Run the command line, whose modules are still to be imported."""
    try:
        from clipbench.cli.app import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
