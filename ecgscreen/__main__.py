"""``python -m ecgscreen``."""

from ecgscreen.cli import main

if __name__ == "__main__":
    main()
