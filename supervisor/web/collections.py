"""Where tickets come from."""

from supervisor.domain.views import CollectionList
from supervisor.web.glue import Routes
from supervisor.web.house import House

routes = Routes("collections")


@routes.get("/collections")
async def collections(house: House) -> CollectionList:
    """The collections, each with how its last sync went."""
    return CollectionList(tuple(house.sync.collections()))
