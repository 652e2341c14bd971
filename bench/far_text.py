"""How well the language model tells ECG findings from everything else.

``python -m bench.far_text`` prints, for clinical phrasings that the vocabulary does not hold and
for texts that are no ECG finding, the highest cosine to a concept in the language model's own
space. `ecgscreen.unknown_words.MIN_CONCEPT_SIMILARITY` was chosen from it. Two ways are compared: a
concept as the mean of its wordings, which is what a bundle holds, and every wording by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ecgscreen.text_encoder import TextEncoder
from ecgscreen.unknown_words import MIN_CONCEPT_SIMILARITY
from ecgscreen.vocabulary import load_vocabulary

CLINICAL = (
    "coved ST elevation in the right precordial leads",
    "beat-to-beat alternation of the QRS axis",
    "P wave morphology that changes from beat to beat",
    "biphasic T waves in V2 and V3",
    "upsloping ST depression with tall symmetrical T waves",
    "hyperacute T waves",
    "epsilon wave in V1",
    "J point elevation with notching",
    "Osborn wave of hypothermia",
    "short PR interval with delta wave",
    "sawtooth flutter waves in the inferior leads",
    "irregularly irregular narrow complex rhythm",
    "broad complex tachycardia of unknown origin",
    "polymorphic ventricular tachycardia twisting around the baseline",
    "capture beats and fusion beats",
    "junctional escape rhythm after a long pause",
    "sinus pause of three seconds",
    "intermittent absence of P waves",
    "dropped beats after progressive PR prolongation",
    "P waves unrelated to the QRS complexes",
    "tall R wave in V1",
    "late transition zone in the precordial leads",
    "deep S waves in V1 and V2",
    "S1Q3T3 pattern of right heart strain",
    "low amplitude QRS in the limb leads",
    "peaked P waves of right atrial enlargement",
    "notched P wave in lead II",
    "slurred upstroke of the QRS complex",
    "ST depression in the lateral leads",
    "reciprocal ST depression",
    "PR depression of pericarditis",
    "digitalis effect on the ST segment",
    "flattened T waves and prominent U waves of hypokalaemia",
    "tented T waves of hyperkalaemia",
    "pacemaker spikes without capture",
    "atrial sensed ventricular paced rhythm with failure to sense",
    "inverted P wave in lead I",
    "ventricular run of five beats",
    "extreme right axis",
    "old infarction of the posterior wall",
)

GERMAN = (
    "dachförmige ST-Hebungen in V1 bis V3",
    "Kammerflimmern mit niedriger Amplitude",
    "verlängerte PQ-Zeit mit Blockbild",
    "unspezifische Erregungsrückbildungsstörungen",
    "gehäufte ventrikuläre Extrasystolen",
    "Zustand nach Hinterwandinfarkt",
    "Schenkelblock mit breitem QRS-Komplex",
    "R-Verlust über der Vorderwand",
    "terminal negatives T in den Brustwandableitungen",
    "Schrittmacherrhythmus mit intermittierendem Eigenrhythmus",
)

NOT_ECG = (
    "banana bread",
    "XYZQ",
    "asdf jkl",
    "quarterly tax return",
    "fractured femur",
    "knee pain",
    "chest X-ray with pleural effusion",
    "type 2 diabetes",
    "lung cancer",
    "asthma attack",
    "urinary tract infection",
    "migraine with aura",
    "appendicitis",
    "skin rash after penicillin",
    "herniated disc L4/L5",
    "cataract of the left eye",
    "iron deficiency anaemia",
    "high cholesterol",
    "stroke with left-sided weakness",
    "epileptic seizure",
    "depression and anxiety",
    "pregnancy in the third trimester",
    "broken tooth",
    "haemoglobin 12 g/dl",
    "blood pressure 140/90",
    "body temperature 38.5",
    "patient discharged home",
    "please call the ward",
    "aspirin 100 mg once a day",
    "colonoscopy without finding",
    "MRI of the brain",
    "hip replacement",
    "kidney stones",
    "hearing loss",
    "ankle sprain",
    "the cat sat on the mat",
    "weather forecast for tomorrow",
    "football world cup final",
    "red sports car",
    "train timetable to Vienna",
    "how to plant tomatoes",
    "stock market crash",
    "password reset",
    "wave of the ocean",
    "guitar rhythm in four four",
    "block of flats",
    "road works on the left lane",
    "lead in drinking water",
    "low voltage cable",
    "city marathon",
    "pizza with extra cheese",
    "quantum mechanics",
    "Beethoven's fifth symphony",
    "invoice number 4711",
    "happy birthday",
    "Steuererklärung",
    "Apfelstrudel mit Vanillesauce",
    "Kniegelenk links",
    "gebrochenes Handgelenk",
    "Straßenbahn nach Hause",
    "12345",
    "normal",
    "test",
    "left",
    "yes",
)


def main() -> None:
    """Print both groups, best separated last, and how any threshold would part them."""
    vocabulary = load_vocabulary()
    encoder = TextEncoder()
    raw = [encoder.embed(concept.wordings) for concept in vocabulary.concepts]
    names = [concept.name for concept in vocabulary.concepts]
    means = np.stack([rows.mean(axis=0) for rows in raw])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    ways: dict[str, Sequence[NDArray[np.float32]]] = {
        "mean of a concept's wordings": [row[None] for row in means],
        "nearest wording": raw,
    }
    groups = {"clinical": CLINICAL, "German": GERMAN, "not ECG": NOT_ECG}
    for text in (*CLINICAL, *GERMAN, *NOT_ECG):
        if (known := vocabulary.find(text)) is not None:
            print(f"(the vocabulary knows {text!r} as {known.name!r})")
    for way, concepts in ways.items():
        print(f"\n# {way}")
        best = {name: _highest(encoder.embed(texts), concepts) for name, texts in groups.items()}
        for name, texts in groups.items():
            print(f"\n## {name}")
            values, nearest = best[name]
            for i in np.argsort(values):
                print(f"{values[i]:.3f}  {texts[i]}  ({names[nearest[i]]})")
        print("\nthreshold  clinical refused  German refused  others accepted")
        for threshold in np.arange(0.30, 0.66, 0.025):
            refused, german, others = (
                int((values < threshold).sum()) for values, _ in best.values()
            )
            print(
                f"{threshold:9.3f}  {refused:>8} of {len(CLINICAL)}  {german:>7} of {len(GERMAN)}"
                f"  {len(NOT_ECG) - others:>8} of {len(NOT_ECG)}"
            )
        area = np.mean(best["clinical"][0][:, None] > best["not ECG"][0][None, :])
        print(f"area under the curve, clinical against not ECG: {area:.4f}")
    print(f"\nin force: {MIN_CONCEPT_SIMILARITY}, against the mean of a concept's wordings")


def _highest(
    texts: NDArray[np.float32], concepts: Sequence[NDArray[np.float32]]
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Highest cosine of each text to a concept, and which concept."""
    similarity = np.stack([(texts @ rows.T).max(axis=1) for rows in concepts], axis=1)
    return similarity.max(axis=1), similarity.argmax(axis=1)


if __name__ == "__main__":
    main()
