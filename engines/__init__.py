"""Runtimes that turn prepared windows into embeddings; they know nothing of ECG."""
