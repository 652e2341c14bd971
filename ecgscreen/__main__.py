"""``ecgscreen`` and ``python -m ecgscreen``."""

from __future__ import annotations

import gc

from ecgscreen.garbage import expect_end
from ecgscreen.interrupts import catch_interrupts, end_at_interrupts
from ecgscreen.standard_streams import open_standard_streams


def main() -> None:
    """Run the command line; Ctrl-C is answered before the first slow import."""
    catch_interrupts()
    open_standard_streams()
    gc.disable()  # until the command is known, see `ecgscreen.garbage`
    from ecgscreen.cli import main as run

    try:
        run()
    finally:
        end_at_interrupts()
        expect_end()


if __name__ == "__main__":
    main()
