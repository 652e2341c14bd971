"""A recording in the XML exports of devices, as their schemas and real exports have them."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgscreen.recording import Recording
from tests.ecgscreen.formats.planted import PLANTED

UV_PER_UNIT = 2.5


def counts(recording: Recording, uv_per_unit: float = UV_PER_UNIT) -> NDArray[np.int16]:
    samples: NDArray[np.int16] = np.rint(recording.signal * 1000 / uv_per_unit).astype(np.int16)
    return samples


def encoded(row: NDArray[np.int16]) -> str:
    return base64.b64encode(row.astype("<i2").tobytes()).decode()


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "written.xml"
    path.write_text(text, encoding=encoding)
    return path


def write_aecg(recording: Recording, folder: Path) -> Path:
    sequences = "".join(
        f"""<component><sequence><code code="MDC_ECG_LEAD_{lead.upper()}"/>
        <value xsi:type="SLIST_PQ"><origin value="0" unit="uV"/>
        <scale value="{UV_PER_UNIT}" unit="uV"/>
        <digits>{" ".join(map(str, row.tolist()))}</digits></value></sequence></component>"""
        for lead, row in zip(recording.lead_names, counts(recording), strict=True)
    )
    text = f"""<?xml version="1.0" encoding="UTF-8"?>
<!-- {PLANTED} -->
<AnnotatedECG xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <componentOf><timepointEvent><componentOf><subjectAssignment><subject><trialSubject>
    <subjectDemographicPerson><name>{PLANTED}</name><birthTime value="19010203"/>
    </subjectDemographicPerson></trialSubject></subject></subjectAssignment></componentOf>
  </timepointEvent></componentOf>
  <component><series><code code="RHYTHM"/><component><sequenceSet>
    <component><sequence><code code="TIME_ABSOLUTE"/><value xsi:type="GLIST_TS">
      <head value="20240101120000"/><increment value="{1 / recording.sampling_rate}" unit="s"/>
    </value></sequence></component>{sequences}
  </sequenceSet></component></series></component>
</AnnotatedECG>"""
    return write(folder, text)


def write_muse(recording: Recording, folder: Path) -> Path:
    """MUSE with a document type that lies elsewhere, as real exports have it."""

    def waveform(kind: str, samples: NDArray[np.int16]) -> str:
        leads = "".join(
            f"""<LeadData><LeadByteCountTotal>{2 * len(row)}</LeadByteCountTotal>
            <LeadAmplitudeUnitsPerBit>{UV_PER_UNIT}</LeadAmplitudeUnitsPerBit>
            <LeadAmplitudeUnits>MICROVOLTS</LeadAmplitudeUnits>
            <LeadID>{lead.upper()}</LeadID><LeadSampleSize>2</LeadSampleSize>
            <LeadSampleCountTotal>{len(row)}</LeadSampleCountTotal>
            <WaveFormData>{encoded(row)}</WaveFormData></LeadData>"""
            for lead, row in zip(recording.lead_names, samples, strict=True)
        )
        return f"""<Waveform><WaveformType>{kind}</WaveformType>
        <SampleBase>{recording.sampling_rate:.0f}</SampleBase>
        <SampleExponent>0</SampleExponent>{leads}</Waveform>"""

    samples = counts(recording)
    text = f"""<?xml version="1.0" encoding="ISO-8859-1"?>
<!DOCTYPE RestingECG SYSTEM "restecg.dtd">
<RestingECG><PatientDemographics><PatientID>{PLANTED}</PatientID>
<DateofBirth>02-03-1901</DateofBirth><PatientLastName>{PLANTED}</PatientLastName>
</PatientDemographics><TestDemographics><AcquisitionDate>01-01-2024</AcquisitionDate>
<AcquisitionTime>12:00:00</AcquisitionTime></TestDemographics><Diagnosis><DiagnosisStatement><StmtText>{PLANTED}</StmtText>
</DiagnosisStatement></Diagnosis>
{waveform("Median", samples[:, :600])}{waveform("Rhythm", samples)}</RestingECG>"""
    return write(folder, text, "latin-1")


def write_sierra(recording: Recording, folder: Path) -> Path:
    """Sierra 1.04 in UTF-16, its waveforms plain."""
    samples = counts(recording, 5.0)
    n_leads, n_samples = samples.shape
    labels = " ".join(recording.lead_names)
    text = f"""<?xml version="1.0" encoding="utf-16"?>
<restingecgdata xmlns="http://www3.medical.philips.com">
<documentinfo><documentname>{PLANTED}</documentname><documenttype>PhilipsECG</documenttype>
<documentversion>1.04</documentversion></documentinfo>
<patient><generalpatientdata><patientid>{PLANTED}</patientid>
<name><lastname>{PLANTED}</lastname></name><age><dateofbirth>1901-02-03</dateofbirth></age>
</generalpatientdata></patient>
<dataacquisition date="2024-01-01" time="12:00:00"><signalcharacteristics>
<samplingrate>{recording.sampling_rate:.0f}</samplingrate><resolution>5</resolution>
<numberchannelsallocated>{n_leads}</numberchannelsallocated>
<numberchannelsvalid>{n_leads}</numberchannelsvalid>
</signalcharacteristics></dataacquisition>
<waveforms><parsedwaveforms dataencoding="Base64" compression="None" numberofleads="{n_leads}"
leadlabels="{labels}" durationperchannel="{n_samples * 1000 / recording.sampling_rate:.0f}">
{encoded(samples.ravel())}</parsedwaveforms></waveforms></restingecgdata>"""
    return write(folder, text, "utf-16")


def write_mortara(recording: Recording, folder: Path) -> Path:
    channels = "".join(
        f"""<CHANNEL NAME="{lead}" OFFSET="0" UNITS_PER_MV="400" BITS="16" FORMAT="SIGNED"
        DURATION="{len(row)}" SAMPLE_FREQ="{recording.sampling_rate:.0f}" ENCODING="BASE64"
        DATA="{encoded(row)}"/>"""
        for lead, row in zip(recording.lead_names, counts(recording), strict=True)
    )
    text = f"""<?xml version="1.0" encoding="UTF-8"?>
<ECG ACQUISITION_TIME="20240101120000"><SUBJECT LAST_NAME="{PLANTED}" ID="{PLANTED}"
DOB="19010203"/>{channels}</ECG>"""
    return write(folder, text)
