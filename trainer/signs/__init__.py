"""Signs: what a reader sees before naming a diagnosis, measured on the signal."""

from trainer.signs.table import SIGNS, Sign, signs_of

__all__ = ["SIGNS", "Sign", "signs_of"]
