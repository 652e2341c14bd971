"""The table of the kinds of input that `bench.fuzz` knows."""

from __future__ import annotations

from bench import (
    fuzz_archives,
    fuzz_bundle,
    fuzz_clinical,
    fuzz_lists,
    fuzz_store,
    fuzz_tables,
    fuzz_wfdb,
)

TARGETS = (
    *fuzz_wfdb.TARGETS,
    *fuzz_tables.TARGETS,
    *fuzz_archives.TARGETS,
    *fuzz_lists.TARGETS,
    *fuzz_bundle.TARGETS,
    *fuzz_store.TARGETS,
    *fuzz_clinical.TARGETS,
)
