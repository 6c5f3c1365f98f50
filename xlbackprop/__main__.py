"""`python -m xlbackprop` and the command `xlbackprop`."""

import gc


def main() -> None:
    """Run the command line."""
    gc.disable()  # a short run with nothing to collect: looking for it is a tenth of the time
    from xlbackprop.cli import run

    run()


if __name__ == "__main__":
    main()
