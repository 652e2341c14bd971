"""One entry of the vocabulary."""

from __future__ import annotations

from dataclasses import dataclass

TASKS = ("superclass", "subclass", "diagnostic", "form", "rhythm")
"""The label sets of the PTB-XL benchmark (Strodthoff et al., IEEE JBHI 2021)."""

KINDS = ("statement", "superclass", "subclass", "group", "snomed", "clinical")


@dataclass(frozen=True)
class Concept:
    """An ECG finding, and every way in which it is written.

    All wordings and codes of a concept belong to it alone: no two concepts share one
    after folding.

    Attributes
    ----------
    id
        Stable key: the SCP-ECG code as PTB-XL spells it, a superclass code,
        ``sub:`` and PTB-XL's subclass, ``any:`` for other groups, ``snomed:`` and a code,
        or ``clinical:`` and a name.
    name
        The name shown to a reader, English.
    kind
        One of `KINDS`. A ``clinical`` concept matters at the bedside and is no
        SCP-ECG statement; ``snomed`` concepts come from the CinC Challenge 2021.
    tasks
        Those of `TASKS` in which it is a label.
    superclass, subclass
        Ids of the concepts above it in PTB-XL's hierarchy; a statement may be its own
        subclass. None where PTB-XL gives none.
    members
        Of a group: the SCP-ECG codes of which a recording carries at least one.
    broader
        Ids of concepts that a recording with this one carries too (paroxysmal atrial
        fibrillation is atrial fibrillation). Empty for SCP-ECG statements: a recording
        carries just those that its reader gave.
    synonyms
        English wordings as reports have them, without the name.
    signs
        What a reader sees where the concept is there, in the words of the trainer's measured
        signs: a model that has seen no recording with the concept is prompted with these too.
    abbreviations
        Only those that mean one thing in an ECG report.
    german
        German terms, those of the reports of PTB-XL among them, in their spelling.
    scp
        The SCP-ECG code (EN 1064, as used by PTB-XL), for statements.
    aha
        Number in the statement list of the AHA, ACC and HRS (Mason et al., Circulation
        2007), as PTB-XL's table gives it, else from the list itself.
    refid
        The aECG reference id (ISO/IEEE 11073-10102), from PTB-XL's table.
    snomed
        SNOMED CT codes as the CinC Challenge 2021 uses them; the first is the preferred.
    """

    id: str
    name: str
    kind: str = "statement"
    tasks: tuple[str, ...] = ()
    superclass: str | None = None
    subclass: str | None = None
    members: tuple[str, ...] = ()
    broader: tuple[str, ...] = ()
    synonyms: tuple[str, ...] = ()
    signs: tuple[str, ...] = ()
    abbreviations: tuple[str, ...] = ()
    german: tuple[str, ...] = ()
    scp: str | None = None
    aha: int | None = None
    refid: str | None = None
    snomed: tuple[str, ...] = ()

    @property
    def wordings(self) -> tuple[str, ...]:
        """The English wordings, the name first: the prompts of this concept."""
        return (self.name, *self.synonyms)

    @property
    def codes(self) -> tuple[str, ...]:
        """Every code under which the concept is found."""
        aha = () if self.aha is None else (f"AHA {self.aha}",)
        refid = () if self.refid is None else (self.refid,)
        return (*aha, *refid, *self.snomed)

    @property
    def keys(self) -> tuple[str, ...]:
        """Every text that means this concept and no other."""
        return (self.id, *self.wordings, *self.abbreviations, *self.german, *self.codes)
