"""``ecgscreen`` and ``python -m ecgscreen``."""

from __future__ import annotations

from ecgscreen.interrupts import catch_interrupts, end_at_interrupts


def main() -> None:
    """Run the command line; Ctrl-C is answered before the first slow import."""
    catch_interrupts()
    from ecgscreen.cli import main as run

    try:
        run()
    finally:
        end_at_interrupts()


if __name__ == "__main__":
    main()
