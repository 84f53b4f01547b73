"""All samples: the documents' own and the quirks."""

from .documents import DOCUMENTS
from .quirks import QUIRKS
from .sample import Sample

SAMPLES: tuple[Sample, ...] = DOCUMENTS + QUIRKS

__all__ = ["DOCUMENTS", "QUIRKS", "SAMPLES", "Sample"]
