"""How the API says yes: a model as JSON."""

from falcon import MEDIA_JSON, Response
from pydantic import BaseModel


def encode(model: BaseModel) -> bytes:
    """Return the body of an answer: the fields that were given, and no others."""
    return model.model_dump_json(by_alias=True, exclude_unset=True).encode()


def say(response: Response, body: BaseModel | bytes) -> None:
    """Answer with a model, or with what ``encode`` has made of one."""
    response.content_type = MEDIA_JSON
    # It is so now. A cache on the way that names no age may keep a 200 for a while.
    response.set_header("Cache-Control", "no-store")
    response.data = body if isinstance(body, bytes) else encode(body)
