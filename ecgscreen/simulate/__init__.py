"""Synthetic 12-lead recordings of known rhythm, for demonstration, tests and load tests.

A heart is a dipole that moves (McSharry et al. 2003; Sameni et al. 2007), seen by the
leads through Dower's matrix. It looks like an ECG; it is no substitute for one: nothing
about accuracy can be learnt from it.
"""

from __future__ import annotations

from ecgscreen.simulate.dataset import TRUTH_COLUMNS, TRUTH_NAME, dataset_settings, write_dataset
from ecgscreen.simulate.faults import Fault, write_faulty
from ecgscreen.simulate.settings import (
    HEART_RATES,
    STATEMENTS,
    Artefacts,
    BeatKind,
    Rhythm,
    SimulatedRecording,
    SimulationSettings,
)
from ecgscreen.simulate.simulator import simulate, simulate_many
from ecgscreen.simulate.wfdb_writer import write_wfdb

__all__ = [
    "HEART_RATES",
    "STATEMENTS",
    "TRUTH_COLUMNS",
    "TRUTH_NAME",
    "Artefacts",
    "BeatKind",
    "Fault",
    "Rhythm",
    "SimulatedRecording",
    "SimulationSettings",
    "dataset_settings",
    "simulate",
    "simulate_many",
    "write_dataset",
    "write_faulty",
    "write_wfdb",
]
