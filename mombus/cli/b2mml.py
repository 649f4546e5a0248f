"""`mombus b2mml`: read B2MML as canonical messages, write them as B2MML, check documents."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mombus.cli.asking import Json
from mombus.cli.exits import Exit
from mombus.cli.showing import print_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from zoneinfo import ZoneInfo

    from canonical.b2mml import Document, Seen
    from canonical.message import Message

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

STDIN = "-"
LARGE = 4_000_000
"""Bytes of a file that is read whole; a larger one is read, and shown, in parts."""

Files = Annotated[list[str], typer.Argument(metavar="FILE…", help="B2MML documents; - is standard input.")]
Source = Annotated[str, typer.Option(help="The system that is speaking, as named in routes.yaml.")]
Site = Annotated[str, typer.Option(help="The site it speaks of.")]
Timezone = Annotated[
    str | None, typer.Option(help="Zone of times without offset, such as Europe/Paris. Default: refuse.")
]
Schemas = Annotated[
    Path | None, typer.Option(help="Folder with MESA's XSDs (AllSchemas.xsd): check against them, too.")
]


@dataclass(frozen=True)
class _Speaker:
    """Whose documents are read."""

    source: str
    site: str
    zone: ZoneInfo | None


@app.command("read")
def read_(
    files: Files,
    as_json: Annotated[bool, typer.Option("--json", help="Print what `mombus b2mml write` reads.")] = False,
    source: Source = "file",
    site: Site = "site",
    timezone: Timezone = None,
) -> None:
    """Show what documents say as canonical messages. Exit code 1 when something in them can't be taken."""
    speaker, failed, printed = _Speaker(source, site, _zone(timezone)), False, _Json() if as_json else None
    for name in files:
        for document in _documents(name, speaker):
            failed |= document is None or bool(document.faults)
            if document is None:
                continue
            for finding in document.findings:
                print(f"{name}: {finding}", file=sys.stderr)  # noqa: T201 - messages go to stderr
            if printed is not None:
                printed.add(document)
            else:
                print("\n".join(_shown(name, document)))  # noqa: T201 - stdout is for data
    if printed is not None:
        printed.end()
    raise typer.Exit(Exit.FINDINGS if failed else Exit.OK)


@app.command("write")
def write_(
    file: Annotated[str, typer.Argument(help="JSON from `mombus b2mml read --json`; - is standard input.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Where to write. Default: standard output.")
    ] = None,
) -> None:
    """Write the document again, with what its messages say now; a V4.01 document becomes one of V7.0.1."""
    from canonical.b2mml import B2MMLError, Document  # noqa: PLC0415 - heavy

    try:
        xml = _written(Document.from_json(_bytes(file)))
    except json.JSONDecodeError as error:
        raise _failed(f"{file}:{error.lineno}:{error.colno}: not JSON: {error.msg}") from None
    except (B2MMLError, ValueError) as error:
        raise _failed(f"{file}: {error}") from None
    if output is None:
        sys.stdout.buffer.write(xml + b"\n")
    else:
        output.write_bytes(xml)


@app.command()
def check(
    files: Files,
    schemas: Schemas = None,
    source: Source = "file",
    site: Site = "site",
    timezone: Timezone = None,
    as_json: Json = False,
) -> None:
    """List everything wrong with documents as `file: ISA-95 path: message`. Exit code 1 when there is anything."""
    strict = _schema(schemas) if schemas is not None else None
    speaker, found = _Speaker(source, site, _zone(timezone)), []
    for name in files:
        for finding in _findings(name, speaker, strict):
            found.append({"file": name, "finding": finding})
            if not as_json:
                print(f"{name}: {finding}")  # noqa: T201 - stdout is for data
    if as_json:
        print_json(found)
    typer.echo(f"{len(files)} checked, {len(found) or 'no'} findings.", err=True)
    raise typer.Exit(Exit.FINDINGS if found else Exit.OK)


def _written(document: Document) -> bytes:
    from canonical.b2mml import write, write_document  # noqa: PLC0415 - heavy
    from canonical.b2mml.table import V7  # noqa: PLC0415 - heavy

    if document.version == V7:
        return write_document(document)
    typer.echo(f"{document.version} is written as {V7}; what was kept of its own words is left out", err=True)
    return write(
        document.messages, created=document.created, sender=document.logical_id or "mombus",
        bod_id=document.bod_id or f"{document.noun} {document.created.isoformat()}",
    )  # fmt: skip


def _findings(name: str, speaker: _Speaker, strict: Callable[[bytes], Iterator[str]] | None) -> Iterator[str]:
    from canonical.b2mml import DocumentError  # noqa: PLC0415 - heavy

    data = _bytes(name)
    try:
        yield from (str(finding) for finding in _read(data, speaker).findings)
    except DocumentError as error:
        yield str(error)
        return
    if strict is not None:
        yield from strict(data)


def _schema(folder: Path) -> Callable[[bytes], Iterator[str]]:
    """A check against MESA's XSDs of V7. Exits with 78 when the folder has none that compile."""
    from lxml import etree  # noqa: PLC0415 - heavy

    from canonical.b2mml.secure import parse  # noqa: PLC0415 - heavy

    try:
        schema = etree.XMLSchema(etree.parse(folder / "AllSchemas.xsd"))
    except (OSError, etree.LxmlError) as error:
        raise _failed(f"{folder}: no AllSchemas.xsd that can be used: {error}", Exit.CONFIG) from None

    def strict(data: bytes) -> Iterator[str]:
        if not schema.validate(parse(data)):
            yield from (f"line {entry.line}: XSD: {entry.message}" for entry in schema.error_log)  # type: ignore[attr-defined]

    return strict


def _documents(name: str, speaker: _Speaker) -> Iterator[Document | None]:
    """The document, a large one in parts; None for what can't be read."""
    from canonical.b2mml import DocumentError, Seen, split  # noqa: PLC0415 - heavy

    try:
        if name == STDIN or _size(name) <= LARGE:
            yield _read(_bytes(name), speaker)
            return
        with Path(name).open("rb") as file:
            seen = Seen()
            for part in split(file):
                yield _read(part, speaker, seen)
    except DocumentError as error:
        print(f"{name}: {error}", file=sys.stderr)  # noqa: T201 - messages go to stderr
        yield None


def _size(name: str) -> int:
    try:
        return Path(name).stat().st_size
    except OSError as error:
        raise _failed(f"{name}: {error.strerror}", Exit.USAGE) from None


def _read(data: bytes, speaker: _Speaker, seen: Seen | None = None) -> Document:
    from canonical.b2mml import read  # noqa: PLC0415 - heavy

    return read(
        data, source=speaker.source, site=speaker.site, recorded=datetime.now(UTC), timezone=speaker.zone, seen=seen
    )  # fmt: skip


def _bytes(name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
    except OSError as error:
        raise _failed(f"{name}: {error.strerror}", Exit.USAGE) from None


def _zone(name: str | None) -> ZoneInfo | None:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: PLC0415

    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError):
        raise _failed(f"--timezone {name}: no such zone; write it as in Europe/Paris", Exit.USAGE) from None


def _failed(text: str, code: Exit = Exit.FINDINGS) -> typer.Exit:
    print(text, file=sys.stderr)  # noqa: T201 - messages go to stderr
    return typer.Exit(code)


class _Json:
    """Prints documents as JSON while they are read: one alone as it is, several as a list."""

    def __init__(self) -> None:
        self._held: Document | None = None
        self._several = False

    def add(self, document: Document) -> None:
        """One more. The first is held until it is known whether it is alone."""
        if self._held is not None:
            sys.stdout.write(",\n" if self._several else "[")
            sys.stdout.write(self._held.to_json())
            self._several = True
        self._held = document

    def end(self) -> None:
        """There are no more."""
        text = self._held.to_json() if self._held is not None else "[]"
        sys.stdout.write(f",\n{text}]\n" if self._several else f"{text}\n")


def _shown(name: str, document: Document) -> Iterator[str]:
    sender = f" from {document.logical_id}" if document.logical_id else ""
    yield f"{name}: {document.version} {document.verb} {document.noun}{sender}, {document.created.isoformat()}"
    for message in document.messages:
        yield f"\n  {message.verb} {message.object} {message.key or '(all)'}  {_attributes(message)}".rstrip()
        body = json.dumps(json.loads(message.content), ensure_ascii=False, indent=2) if message.content else ""
        yield from (f"    {line}" for line in body.splitlines())
    yield f"\n  {len(document.messages)} messages, {len(document.faults)} items that can't be taken"


def _attributes(message: Message) -> str:
    said = {"action": message.action, "lane": message.lane, "posting": message.posting, "reason": message.reason,
            "document": message.document, "correlation": message.correlation}  # fmt: skip
    return "  ".join(f"{name}={value}" for name, value in said.items() if value)
