"""Step 3 of a scan, for training and scanning alike: quality, and what the limb leads tell."""

from __future__ import annotations

from dataclasses import replace

from ecgscreen.arm_reversal import arm_reversal_note
from ecgscreen.limb_leads import limb_lead_note, with_derived_leads
from ecgscreen.quality import Quality, assess_quality
from ecgscreen.recording import Recording


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
    if completed is not recording:
        recording, quality = completed, assess_quality(completed)
        note = None
    else:
        note = limb_lead_note(recording, quality.usable)
    # Leads that contradict each other are told already, and tell nothing of the electrodes.
    note = note or arm_reversal_note(recording, quality.usable)
    if note is not None:
        recording = replace(recording, notes=(*recording.notes, note))
    return recording, quality
