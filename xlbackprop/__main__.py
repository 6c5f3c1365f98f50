"""`python -m xlbackprop` and the command `xlbackprop`."""

import gc
import os
import signal
import sys


def main() -> None:
    """Run the command line."""
    heeds_interrupts = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if heeds_interrupts:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # while modules are loaded, there is nothing to tidy up
    gc.disable()  # a short run with nothing to collect: looking for it is a tenth of the time
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # starting its threads takes longer than they save
    from xlbackprop.cli import run

    try:
        if heeds_interrupts:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        run()
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        gc.freeze()  # nor at the end, where Python would look once more


if __name__ == "__main__":
    main()
