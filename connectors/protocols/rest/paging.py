"""Lists that come in pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from connectors.connector import Rejected
from connectors.protocols.rest.exchange import Call, readable
from connectors.protocols.rest.mapping import at, evaluate, fill_query, fill_url, items_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from connectors.protocols.rest.exchange import Exchange
    from connectors.protocols.rest.settings import Listing


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its items and its bytes as they came."""

    items: list[Any]
    content: bytes
    last: bool


class Lists:
    """Reads the lists of one system."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def pages(
        self,
        listing: Listing,
        data: Mapping[str, Any],
        extra: Mapping[str, str] | None = None,
        *,
        missing_ok: bool = False,
    ) -> AsyncIterator[Page]:
        """Yield the pages of a list, `extra` added to its query.

        Status 404 is an empty list with `missing_ok`. Raises what calls and mappings raise.
        """
        paging = listing.paging
        url, query = fill_url(listing.url, data), fill_query(listing.query, data) | dict(extra or {})
        if paging.size_query:
            query[paging.size_query] = str(paging.size)
        position = paging.first if paging.style == "page" else 0
        for _ in range(paging.limit):
            if paging.style in {"page", "offset"}:
                query[paging.query] = str(position)
            call = Call(url=url, query=dict(query))
            reply = await self._exchange.attempt(call)
            if reply.status == 404 and missing_ok:
                return
            if not reply.good:
                raise self._exchange.refused(call, reply)
            page, following = _page(listing, readable(call, reply), reply.content)
            yield page
            if page.last:
                return
            if paging.style == "link":
                url, query = urljoin(reply.url, following), {}
            elif paging.style == "cursor":
                query[paging.query] = following
            else:
                position += 1 if paging.style == "page" else len(page.items)
        raise Rejected(f"{url} has over {paging.limit} pages: does its paging work as declared?")


def _page(listing: Listing, document: Any, content: bytes) -> tuple[Page, str]:
    """The page that a document is, and where the next one is."""
    items = items_of(document, listing.items)
    following = at(document, listing.paging.next)
    return Page(items, content, _is_last(listing, document, items, following)), str(following)


def _is_last(listing: Listing, document: Any, items: list[Any], following: Any) -> bool:
    match listing.paging.style:
        case "none":
            return True
        case "link" | "cursor":
            return not following
    if listing.paging.more is not None:
        return not items or evaluate(listing.paging.more, document) is not True
    return not items
