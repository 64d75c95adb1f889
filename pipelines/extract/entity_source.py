"""The list of an entity as the API answers it: one question, one answer that has been read."""

from zoneinfo import ZoneInfo

from pipelines.extract.axes import EVERYTHING, Filters
from pipelines.extract.client import NexudusClient
from pipelines.extract.entity import Entity
from pipelines.extract.failures import AnswerTooLargeError, PageShrunkError
from pipelines.extract.records import SearchAnswer, decode_search
from pipelines.settings import Settings


class EntitySource:
    """Questions about the records of one entity. Thread-safe as the client is."""

    def __init__(self, client: NexudusClient, settings: Settings, entity: Entity) -> None:
        self.entity = entity
        self._client = client
        self._page_size = settings.page_size
        self._largest_page: int | None = None
        self._zone = ZoneInfo(settings.filter_timezone)

    def search(
        self,
        filters: Filters = EVERYTHING,
        *,
        page: int = 1,
        size: int | None = None,
        order_by: str | None = None,
        direction: int | None = None,
    ) -> SearchAnswer:
        """One page of records. `size` defaults to NEXUDUS_PAGE_SIZE, `order_by` is a wire name (`UpdatedOn`).

        Raises EnvelopeError for a body that is not the envelope, DeepPageError for 403 beyond page 1, PageShrunkError
        where a page beyond it is too large, MissingFilterError, and what the client raises.
        """
        # A server with smaller pages than asked for is nothing new: the first page may shrink. A later one would hold
        # other records: the caller starts over with smaller pages.
        size = min(size or self._page_size, self._largest_page or size or self._page_size)
        while True:
            try:
                return self._page(filters, page, size, order_by, direction)
            except AnswerTooLargeError:
                if size == 1:
                    raise
                self._largest_page = size = size // 2
                if page > 1:
                    raise PageShrunkError from None

    def _page(
        self, filters: Filters, page: int, size: int, order_by: str | None, direction: int | None
    ) -> SearchAnswer:
        params = {"page": str(page), "size": str(size)}
        if order_by is not None:
            params["orderBy"] = order_by
        if direction is not None:
            params["dir"] = str(direction)
        params |= self.entity.parameters(filters, self._zone)
        reply = self._client.get(self.entity.path, params, role=self.entity.list_role)
        return decode_search(reply.body, reply.answered_at, self.entity.contract)
