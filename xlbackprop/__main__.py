"""`python -m xlbackprop` and the command `xlbackprop`."""

import gc
import os


def main() -> None:
    """Run the command line."""
    gc.disable()  # a short run with nothing to collect: looking for it is a tenth of the time
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # starting its threads takes longer than they save
    from xlbackprop.cli import run

    try:
        run()
    finally:
        gc.freeze()  # nor at the end, where Python would look once more


if __name__ == "__main__":
    main()
