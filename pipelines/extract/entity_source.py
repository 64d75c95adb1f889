"""The list of an entity as the API answers it: one question, one answer that has been read."""

from zoneinfo import ZoneInfo

from pipelines.extract.axes import EVERYTHING, Filters
from pipelines.extract.client import NexudusClient
from pipelines.extract.entity import Entity
from pipelines.extract.records import SearchAnswer, decode_search
from pipelines.settings import Settings


class EntitySource:
    """Questions about the records of one entity. Thread-safe as the client is."""

    def __init__(self, client: NexudusClient, settings: Settings, entity: Entity) -> None:
        self.entity = entity
        self._client = client
        self._page_size = settings.page_size
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

        Raises EnvelopeError for a body that is not the envelope, DeepPageError for 403 beyond page 1,
        MissingFilterError, and what the client raises.
        """
        params = {"page": str(page), "size": str(size or self._page_size)}
        if order_by is not None:
            params["orderBy"] = order_by
        if direction is not None:
            params["dir"] = str(direction)
        params |= self.entity.parameters(filters, self._zone)
        reply = self._client.get(self.entity.path, params, role=self.entity.list_role)
        return decode_search(reply.body, reply.answered_at, self.entity.contract)
