"""B2MML, MESA's XML for ISA-95: documents to messages and back.

Reads V7.0.1 and the production and material nouns of V4.01, writes V7.0.1. What a document says besides the canonical
model stays with it and is written back. See docs/b2mml-coverage.md for what is modelled.

"The Business To Manufacturing Markup Language (B2MML) is used courtesy of MESA International."
"""

from canonical.b2mml.document import Document, Entry, Response
from canonical.b2mml.faults import B2MMLError, BadItem, DocumentError, Finding, WriteError
from canonical.b2mml.frame import Answer
from canonical.b2mml.reader import Seen, read
from canonical.b2mml.replies import Outcome, Verdict, acknowledge, confirm
from canonical.b2mml.splitting import split, survey
from canonical.b2mml.writer import write, write_document

__all__ = [
    "read", "Seen", "split", "survey",
    "write", "write_document", "acknowledge", "confirm", "Document", "Entry", "Response", "Outcome", "Verdict",
    "Answer", "B2MMLError", "DocumentError", "WriteError", "BadItem", "Finding",
]  # fmt: skip
