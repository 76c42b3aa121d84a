import json

import pytest

from orchestration.defs.code_server import parse_load_error


def error(message, cause=None):
    return {"__class__": "SerializableErrorInfo", "message": message, "stack": [], "cause": cause}


def test_repositories_are_no_error():
    reply = {"__class__": "ListRepositoriesResponse", "repository_symbols": []}

    assert parse_load_error(json.dumps(reply)) is None


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (error("ImportError: no module `x`\n"), "ImportError: no module `x`"),
        (error("outer", error("middle", error("inner\n"))), "inner"),
    ],
)
def test_an_error_is_told_by_its_innermost_cause(reply, message):
    assert parse_load_error(json.dumps(reply)) == message
