"""Recordings are assessed, for training and scanning alike: quality, and what limb leads tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ecgscreen.arm_reversal import arm_reversal_note, run_against
from ecgscreen.lead_faults import lead_faults
from ecgscreen.limb_leads import limb_lead_note, limb_leads_agree, with_derived_leads
from ecgscreen.quality import Quality, assess_quality, quality_of
from ecgscreen.quality_remarks import lead_remarks
from ecgscreen.recording import LEADS, Recording


def assess(recording: Recording) -> tuple[Recording, Quality]:
    """Assess a recording, derive limb leads that are missing, and check those that are there.

    Parameters
    ----------
    recording
        As it was read; it is not changed.

    Returns
    -------
    The recording with derived leads and more notes, and the quality of it.
    """
    quality = assess_quality(recording)
    if quality.reason is not None:
        return recording, quality
    completed = with_derived_leads(recording, quality.usable)
    if completed is recording:
        return _checked(recording, quality), quality
    quality = assess_quality(completed)
    return _noted(completed, arm_reversal_note(completed, quality.usable)), quality


def assess_together(
    recordings: Sequence[Recording],
    deviation: NDArray[np.float32],
    resampled: NDArray[np.float32] | None = None,
) -> list[tuple[Recording, Quality]]:
    """As `assess`, with the same results, for many recordings of one shape.

    What numpy takes for a call is paid once for all of them, and is most of the time otherwise.

    Parameters
    ----------
    recordings
        Of at least `ecgscreen.quality.MIN_DURATION_S`, in mV, with all leads in the order of
        `LEADS`, the same sampling rate and number of samples, at most
        `ecgscreen.limb_leads.MOST_SAMPLES`.
    deviation
        float32, shape (n_recordings, 12, n_samples): their finite samples less the mean of each
        lead.
    resampled
        See `ecgscreen.heard.as_heard`.
    """
    # A file's absurd gain may take squares beyond float32.
    with np.errstate(over="ignore", invalid="ignore"):
        rate = recordings[0].sampling_rate
        faults = lead_faults(deviation, rate, amplitude_known=True, resampled=resampled)
        marks = lead_remarks(deviation, rate, resampled)
        agree = limb_leads_agree(deviation)
        against = run_against(deviation[:, LEADS.index("I")], deviation[:, LEADS.index("V6")])
    assessed = []
    for recording, found, noted, agrees, is_against in zip(
        recordings, faults, marks, agree.tolist(), against.tolist(), strict=True
    ):
        quality = quality_of(LEADS, tuple(found), noted)
        if quality.reason is None and (is_against or not agrees):
            assessed.append((_checked(recording, quality, agrees=agrees), quality))
        else:
            assessed.append((recording, quality))
    return assessed


def _checked(recording: Recording, quality: Quality, *, agrees: bool = False) -> Recording:
    """The recording with what its limb leads tell; `agrees` if they are known not to contradict."""
    # Leads that contradict each other are told already, and tell nothing of the electrodes.
    note = None if agrees else limb_lead_note(recording, quality.usable)
    return _noted(recording, note or arm_reversal_note(recording, quality.usable))


def _noted(recording: Recording, note: str | None) -> Recording:
    return recording if note is None else replace(recording, notes=(*recording.notes, note))
