"""Where tickets come from."""

from datetime import UTC, datetime

from supervisor.domain.errors import BoardAuth, NotFound
from supervisor.domain.views import CollectionList, HeardView, WriteList
from supervisor.web.glue import Answer, Refused, Routes, Sent
from supervisor.web.house import House
from supervisor.web.problems import Refusal, problem

routes = Routes("collections")

WEBHOOK_LIMIT = 1 << 20
"""Bytes of a webhook's body."""


@routes.get("/collections")
async def collections(house: House) -> CollectionList:
    """The collections, each with how its last sync went."""
    return CollectionList(tuple(house.sync.collections()))


@routes.get("/collections/{collection}/writes")
async def writes(house: House, collection: str) -> WriteList:
    """What the collection's board is still to be told, oldest first, each with what stands in its way."""
    return WriteList(tuple(house.sync.writes(collection)))


@routes.post("/collections/{collection}/webhook", statuses=(202,), token=False, signed=True, failures=(401, 413))
async def webhook(house: House, collection: str, sent: Sent) -> Answer[HeardView]:
    """What a board sends when something changed there. Its signature is its only token, and it is never taken for
    data: the board is read soon, no more."""
    if len(sent.body) > WEBHOOK_LIMIT:
        raise Refused(Refusal(problem(413, "too_large", "A webhook of more than 1 MB is none.")))
    try:
        house.sync.heard(collection, sent.headers, sent.body, datetime.now(UTC))
    except NotFound:
        # Whoever cannot sign learns no names: for all that is told, there is one with another secret.
        raise Refused(
            Refusal(problem(401, "unsigned", "The webhook is not signed by that collection's board."))
        ) from None
    except BoardAuth as error:
        raise Refused(Refusal(problem(401, "unsigned", error.message, hint=error.hint))) from None
    return Answer(202, HeardView(collection))
