"""Batch screening of ECG recordings against diagnoses written in plain words."""

__version__ = "0.1.0"
