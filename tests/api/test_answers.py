from __future__ import annotations

from falcon import Response

from roomcast.api.answers import encode, say
from roomcast.api.models import MessageInfo, Published


def test_answer_holds_the_fields_that_were_given_and_no_others() -> None:
    told = MessageInfo.model_validate({"offset": 1, "time_ms": 2, "from": None, "text": "é"})

    assert encode(told) == '{"offset":1,"time_ms":2,"from":null,"text":"é"}'.encode()


def test_answer_is_json_that_no_cache_may_keep() -> None:
    response = Response()

    say(response, Published(epoch="a", offset=1, local_members=0))

    assert response.data == b'{"epoch":"a","offset":1,"local_members":0}'
    assert (response.content_type, response.get_header("Cache-Control")) == ("application/json", "no-store")
