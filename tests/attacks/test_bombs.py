"""Small things that would grow: answers zipped twice, objects with a million names, documents that never get smaller.

Bounds of memory are far above what it takes to refuse the attack, and far below what it takes to fall for it.
"""

from __future__ import annotations

import asyncio
import gzip
import resource
import tracemalloc
import zlib
from contextlib import asynccontextmanager
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING

import httpx
import pytest

from canonical.b2mml import DocumentError, split, survey
from canonical.b2mml.secure import parse
from connectors.answer_body import AnswerBody, AnswerBroken, AnswerTooLarge
from connectors.connector import LONGEST_WAIT_S, NotConnected, Rejected, RetryableError
from connectors.protocols.rest import RestConfig
from connectors.protocols.rest.answers import Reply, reason_of, translated
from connectors.protocols.rest.exchange import Call, Exchange
from connectors.protocols.soap.client import SoapClient, Target
from connectors.protocols.soap.errors import Asked, HttpStatus, translate
from connectors.protocols.soap.errors import retry_after_s as soap_retry_after_s
from connectors.strict_json import StrictJsonError, read_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MIB = 1024 * 1024
HEAD = (
    b'<ProcessOperationsSchedule xmlns="http://www.mesa.org/xml/B2MML" %s releaseID="1"><ApplicationArea>'
    b"<CreationDateTime>2026-03-02T06:00:00Z</CreationDateTime><BODID>B-1</BODID></ApplicationArea><DataArea><Process/>"
)
TAIL = b"</DataArea></ProcessOperationsSchedule>"
SCHEDULE = b"<OperationsSchedule>%s</OperationsSchedule>"


@cache
def zeros(mebibytes: int, wbits: int = 31) -> bytes:
    zipper = zlib.compressobj(1, zlib.DEFLATED, wbits)
    pieces = [zipper.compress(bytes(MIB)) for _ in range(mebibytes)]
    return b"".join([*pieces, zipper.flush()])


def most_memory() -> int:
    """Of this process so far, in bytes: parsers' memory, too."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@asynccontextmanager
async def holding_at_most(size: int) -> AsyncIterator[None]:
    """What Python holds at most meanwhile."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < size
    finally:
        tracemalloc.stop()


@asynccontextmanager
async def target(head: bytes, *body: bytes, endless: bool = False) -> AsyncIterator[tuple[str, list[int]]]:
    """A system that answers everything like that: where it is, and how much of an endless answer it got rid of."""
    sent = [0]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n")
            for piece in body:
                writer.write(piece)
            while endless:
                writer.write(bytes(MIB))
                await writer.drain()
                sent[0] += MIB
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", sent
    finally:
        server.close()


@pytest.mark.parametrize("encoding", ["gzip, gzip", "gzip,deflate", "br", "zstd", "compress"])
async def test_an_answer_that_is_zipped_twice_or_strangely_is_never_unpacked(encoding: str) -> None:
    bomb = gzip.compress(zeros(64))
    head = b"content-encoding: %s\r\ncontent-length: %d" % (encoding.encode(), len(bomb))
    async with target(head, bomb) as (url, _), holding_at_most(30 * MIB):
        exchange = Exchange(RestConfig(connector="rest", url=url), ".")
        with pytest.raises(NotConnected, match=r"content encoding '.*' isn't taken"):
            await exchange.send(Call(url="x"))
        await exchange.close()
        with pytest.raises(NotConnected, match="content encoding"):
            await SoapClient(Target(wsdl=f"{url}/a?wsdl"), parse).open()


@pytest.mark.parametrize("wbits", [31, 15], ids=["gzip", "deflate"])
async def test_a_zipped_answer_is_unpacked_up_to_the_limit_only(wbits: int) -> None:
    bomb = zeros(64, wbits)
    head = b"content-encoding: %s\r\ncontent-length: %d" % (b"gzip" if wbits == 31 else b"deflate", len(bomb))
    async with target(head, bomb) as (url, _), holding_at_most(30 * MIB):
        exchange = Exchange(RestConfig(connector="rest", url=url, max_response_bytes=MIB), ".")
        with pytest.raises(Rejected, match="the answer is too large: over 1048576 bytes"):
            await exchange.send(Call(url="x"))
        await exchange.close()


def test_one_piece_unpacks_to_no_more_than_there_is_room_for() -> None:
    body = AnswerBody("gzip", 1000)
    with pytest.raises(AnswerTooLarge):
        body.add(zeros(64))
    assert len(body._body) == 1001


def test_what_is_zipped_once_is_read_whatever_pieces_it_comes_in() -> None:
    said = b'{"a": 1}' * 1000
    for zipped in (gzip.compress(said), zlib.compress(said), gzip.compress(said[:77]) + gzip.compress(said[77:])):
        body = AnswerBody("deflate" if zipped[0] == 0x78 else "GZip", len(said))
        for at in range(0, len(zipped), 7):
            body.add(zipped[at : at + 7])
        assert body.whole() == said
    empty = AnswerBody("gzip", 10)
    assert empty.whole() == b"", "an answer to HEAD, or 204"


@pytest.mark.parametrize(
    "broken", [gzip.compress(b"a" * 99, mtime=0)[:-9], b"no zip", gzip.compress(b"a", mtime=0) + b"more"]
)
def test_what_is_not_zipped_as_it_says_is_no_answer(broken: bytes) -> None:
    with pytest.raises(AnswerBroken):
        body = AnswerBody("gzip", 1000)
        body.add(broken)
        body.whole()


async def test_whether_a_service_is_there_is_asked_without_hearing_it_out() -> None:
    async with target(b"content-type: text/plain", endless=True) as (url, sent):
        client = SoapClient(Target(wsdl=f"{url}/erp?wsdl"), parse)
        client._http = httpx.AsyncClient(trust_env=False)
        await client.reachable(30)
        await client.close()
    assert sent[0] < 64 * MIB


@pytest.mark.parametrize(
    "said", ["9" * 400, "Mon, 01 Jan 9999 00:00:00 GMT", "Mon, 01 Jan 99999999999999 00:00:00 GMT"]
)
def test_nobody_is_waited_for_over_an_hour_whatever_is_asked(said: str) -> None:
    rest = translated(Reply(503, {"retry-after": said}, b""), repeatable=True)
    soap = translate(HttpStatus(503, retry_after_s=soap_retry_after_s(said)), Asked("posting"))
    for error in (rest, soap):
        assert isinstance(error, RetryableError)
        assert error.retry_after_s in {None, LONGEST_WAIT_S}


def test_names_that_are_there_twice_are_found_in_one_pass() -> None:
    names = b",".join(b'"n%d":1' % number for number in range(150_000))
    with pytest.raises(StrictJsonError, match="'n149999' is there twice"):  # each against all: minutes
        read_json(b"{" + names + b',"n149999":2}', 10 * MIB)


def test_a_page_of_open_tags_is_looked_at_once() -> None:
    for page in (b"<" * 20_000, b"<script " * 2_500, b"<style>" * 3_000):
        assert isinstance(reason_of(Reply(500, {}, page)), str)
    kept = reason_of(Reply(500, {}, b"<style>a{}</style><p>out of <b>order</b></p><script>x()"))
    assert kept == "out of order"


def document(nouns: bytes, declared: bytes = b"") -> BytesIO:
    return BytesIO(HEAD % declared + nouns + TAIL)


def everything(file: BytesIO) -> int:
    """How many parts there are, read and let go one by one."""
    survey(file)
    file.seek(0)
    return sum(1 for _ in split(file))


ITEM = b"<OperationsRequest/>"
GROWING = {
    "over 1000 nouns hold items": [SCHEDULE % (b"<J/>" + ITEM) * 3_000],
    "over 1000000 bytes stand between the items": [SCHEDULE % ((b"<J/>" + ITEM) * 300_000)],
    "over 1000000 bytes stand between": [SCHEDULE % ((b"<J>%s</J>" % (b"j" * 900) + ITEM) * 5_000)],
    "bytes stand between the items": [(b"<J>%s</J>" % (b"j" * 4_000) + SCHEDULE % (ITEM * 3)) * 900],
    "the items have over 10000 characters": [SCHEDULE % (ITEM * 3_000), b'xmlns:x="urn:%s"' % (b"x" * 50_000)],
}


@pytest.mark.parametrize("reason", GROWING)
def test_a_large_document_that_stays_large_however_much_is_taken_out_is_refused(reason: str) -> None:
    file = document(*GROWING[reason])
    with pytest.raises(DocumentError, match=reason):
        survey(file)
    file.seek(0)
    with pytest.raises(DocumentError, match=reason):
        list(split(file))


def test_a_hundred_thousand_tiny_items_are_cut_as_they_come() -> None:
    file = document(SCHEDULE % (b"<OperationsRequest/>" * 120_000))
    before = most_memory()
    assert everything(file) == 120
    assert most_memory() - before < 60 * MIB, "items that were handed on are let go"
