"""An HTTP API, served by a real server of the test, into a real DuckDB."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

ITEMS = [{"id": i, "name": f"n{i}", "at": f"2024-01-0{i}T00:00:00Z"} for i in range(1, 8)]
PAGE = 3
ALL = "SELECT id FROM things ORDER BY id"
PAGED = {"data_selector": "items", "pagination": {"kind": "page_number"}}


class Api(BaseHTTPRequestHandler):
    """Answers in the ways in which APIs page; `server.failures` are answered first, each once."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        self.server.seen.append((self.path, dict(self.headers)))
        if self.server.failures:
            self.answer({}, status=self.server.failures.pop(0))
        elif url.path == "/other-host":
            self.answer({}, status=302, location="http://localhost:1/")
        elif url.path == "/html":
            self.answer(b"<html>")
        else:
            items = [item for item in self.server.items if item["at"] >= query.get("since", "")]
            self.page(url.path.strip("/"), items, query)

    def page(self, kind, items, query):
        start = int(query.get("from", query.get("offset", 0)))
        if "page" in query:
            start = (int(query["page"]) - 1) * PAGE
        part, following = items[start : start + PAGE], start + PAGE
        more = following < len(items)
        link = f"/{kind}?from={following}" if more else None
        match kind:
            case "plain":
                self.answer(items)
            case "numbered" | "offset":
                self.answer({"items": part, "total": len(items), "pages": 3})
            case "linked":
                self.answer({"data": {"rows": part}, "paging": {"next": link}})
            case "headed":
                headers = {"link": f'<{link}>; rel="next"'} if link else {}
                self.answer(part, **headers)
            case "tokens":
                self.answer({"items": part, "token": str(following) if more else None})
            case "elsewhere":
                self.answer({"data": part, "next": "http://localhost:1/items"})
            case "endless":
                self.answer({"data": part, "next": "/endless"})
            case _:
                self.answer({"error": "no such thing"}, status=404)

    def answer(self, body, status=200, **headers):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def api():
    with ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        server.items, server.seen, server.failures = list(ITEMS), [], []
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def paths(api):
    return [path for path, _ in api.seen]


@pytest.mark.parametrize(
    ("path", "options", "asked"),
    [
        ("/plain", {}, ["/plain"]),
        ("/numbered", PAGED, [f"/numbered?page={page}" for page in (1, 2, 3, 4)]),
        (
            "/numbered",
            {
                "data_selector": "items",
                "pagination": {"kind": "page_number", "total_path": "pages"},
            },
            [f"/numbered?page={page}" for page in (1, 2, 3)],
        ),
        (
            "/offset",
            {"data_selector": "$.items", "pagination": {"kind": "offset", "limit": 3}},
            [f"/offset?offset={offset}&limit=3" for offset in (0, 3, 6, 9)],
        ),
        (
            "/offset",
            {
                "data_selector": "items[*]",
                "pagination": {"kind": "offset", "limit": 3, "total_path": "total"},
            },
            [f"/offset?offset={offset}&limit=3" for offset in (0, 3, 6)],
        ),
        (
            "/linked",
            {
                "data_selector": "data.rows",
                "pagination": {"kind": "json_link", "next_path": "paging.next"},
            },
            ["/linked", "/linked?from=3", "/linked?from=6"],
        ),
        (
            "/headed",
            {"pagination": {"kind": "header_link"}},
            ["/headed", "/headed?from=3", "/headed?from=6"],
        ),
        (
            "/tokens",
            {
                "data_selector": "items",
                "pagination": {"kind": "cursor", "cursor_path": "token", "cursor_param": "from"},
            },
            ["/tokens", "/tokens?from=3", "/tokens?from=6"],
        ),
    ],
)
def test_every_way_of_paging_brings_every_record_once(workspace, api, path, options, asked):
    done = workspace.run("rest", {"url": api.url + path, **options})
    assert (done.exit_code, done.stderr) == (0, "")
    assert paths(api) == asked
    assert workspace.query(ALL) == [(number,) for number in range(1, 8)]
    assert done.one("metrics_api") == {"requests": len(asked), "by_status": {"200": len(asked)}}


def test_an_unchanged_api_is_read_and_not_loaded(workspace, api):
    options = {"url": f"{api.url}/numbered", **PAGED}
    workspace.run_process("rest", options)
    again = workspace.run_process("rest", options)
    assert again.exit_code == 0
    assert again.one("metrics_extraction")["records_extracted"] == 7
    assert again.one("metrics_writing")["records_written"] == 0
    assert workspace.loads() == 1


def test_a_changed_api_replaces_what_was_there(workspace, api):
    options = {"url": f"{api.url}/plain"}
    workspace.run("rest", options)
    del api.items[0]
    workspace.run("rest", options)
    assert workspace.query(ALL) == [(number,) for number in range(2, 8)]


def test_an_api_without_records_makes_no_table_and_later_empties_it(workspace, api):
    options = {"url": f"{api.url}/plain"}
    api.items[:] = []
    first = workspace.run("rest", options)
    assert (first.exit_code, first.all("metrics_writing")) == (0, [])
    assert workspace.tables() == []
    api.items[:] = ITEMS
    workspace.run("rest", options)
    assert len(workspace.query(ALL)) == 7
    api.items[:] = []
    assert workspace.run("rest", options).one("metrics_writing")["row_count"] == 0


def test_with_a_cursor_the_api_is_asked_from_the_last_value_on(workspace, api):
    options = {
        "url": f"{api.url}/numbered",
        **PAGED,
        "primary_key": "id",
        "incremental": {"cursor": "at", "param": "since", "initial_value": "2024-01-06T00:00:00Z"},
    }
    workspace.run("rest", options)
    api.items.append({"id": 1, "name": "new", "at": "2024-02-01T00:00:00Z"})
    api.seen.clear()
    done = workspace.run("rest", options)
    assert paths(api)[0] == "/numbered?since=2024-01-07T00%3A00%3A00Z&page=1"
    assert done.one("metrics_writing")["records_written"] == 1
    assert workspace.query("SELECT id, name FROM things ORDER BY id") == [
        (1, "new"),
        (6, "n6"),
        (7, "n7"),
    ]
    again = workspace.run("rest", options)
    assert again.all("checkpoint_saved") == []


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ({"kind": "bearer", "token": "s3cret"}, "Authorization", "Bearer s3cret"),
        ({"kind": "api_key", "api_key": "s3cret"}, "X-API-Key", "s3cret"),
        (
            {"kind": "basic", "username": "ann", "password": "s3cret"},
            "Authorization",
            "Basic YW5uOnMzY3JldA==",
        ),
    ],
)
def test_credentials_go_into_the_headers(workspace, api, auth, header, value):
    workspace.run("rest", {"url": f"{api.url}/plain", "auth": auth, "headers": {"X-Extra": "1"}})
    ((_, headers),) = api.seen
    assert (headers[header], headers["X-Extra"]) == (value, "1")


def test_a_key_in_the_query_is_sent_and_never_shown(workspace, api):
    auth = {"kind": "api_key", "api_key": "s3cret", "name": "key", "location": "query"}
    done = workspace.run("rest", {"url": f"{api.url}/nope", "auth": auth})
    assert paths(api) == ["/nope?key=s3cret"]
    assert "s3cret" not in done.stdout + done.stderr


def test_a_secret_is_masked_wherever_it_turns_up(workspace, api):
    auth = {"kind": "bearer", "token": "s3cret"}
    done = workspace.run("rest", {"url": f"{api.url}/s3cret", "auth": auth})
    assert done.one("metrics_error")["message"] == f"`{api.url}/***` answered 404 Not Found"
    assert done.one("metrics_api") == {"requests": 1, "by_status": {"404": 1}}
    assert "s3cret" not in done.stdout + done.stderr


def test_a_request_that_fails_for_a_moment_is_repeated(workspace, api):
    api.failures.append(503)
    done = workspace.run("rest", {"url": f"{api.url}/plain", "max_attempts": 2})
    assert done.exit_code == 0
    assert done.one("metrics_api") == {"requests": 2, "by_status": {"200": 1, "503": 1}}


@pytest.mark.parametrize(
    ("path", "options", "message"),
    [
        ("/nope", {}, "`{url}/nope` answered 404 Not Found"),
        ("/html", {}, "`{url}/html` answered something that is no JSON"),
        ("/numbered?page=1", {}, "`$` selects no objects in the answer of `{url}/numbered`"),
        (
            "/numbered?page=1",
            {"data_selector": "itms"},
            "`itms` selects no objects in the answer of `{url}/numbered`",
        ),
        (
            "/elsewhere",
            {"data_selector": "data", "pagination": {"kind": "json_link"}},
            "`{url}/elsewhere` leads to `http://localhost:1/items`",
        ),
        ("/other-host", {}, "`{url}/other-host` leads to `http://localhost:1/`"),
        (
            "/endless",
            {"data_selector": "data", "pagination": {"kind": "json_link"}, "max_pages": 3},
            "`{url}/endless` has more than 3 pages",
        ),
    ],
)
def test_what_is_wrong_with_an_answer_is_said_in_one_sentence(
    workspace, api, path, options, message
):
    done = workspace.run("rest", {"url": api.url + path, **options, "max_attempts": 1})
    expected = message.format(url=api.url)
    assert done.exit_code == 2
    assert done.one("metrics_error")["message"] == expected
    assert done.stderr.startswith(f"error ORC610: {expected}\n   help: ")
    assert workspace.tables() == []


def test_the_error_of_a_wrong_selector_names_what_is_there(workspace, api):
    done = workspace.run("rest", {"url": f"{api.url}/numbered?page=1"})
    assert done.stderr.splitlines()[1] == (
        "   help: set `data_selector` to the JSON path of the records; the answer has "
        "`items`, `total`, `pages`"
    )


def test_a_server_that_is_not_there_is_named_without_credentials(workspace, api):
    port = api.server_port
    api.shutdown()
    api.server_close()
    done = workspace.run(
        "rest", {"url": f"http://ann:s3cret@127.0.0.1:{port}/x", "max_attempts": 1}
    )
    assert done.one("metrics_error") == {
        "error_type": "ConnectionError",
        "code": "ORC610",
        "message": f"`http://127.0.0.1:{port}/x` cannot be reached: "
        "ConnectionError: Connection refused",
    }
    assert "s3cret" not in done.stdout + done.stderr


def test_an_answer_that_takes_too_long_is_given_up(workspace):
    silent = threading.Event()

    class Silent(BaseHTTPRequestHandler):
        def do_GET(self):
            silent.wait(20)

    with ThreadingHTTPServer(("127.0.0.1", 0), Silent) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/slow"
        done = workspace.run("rest", {"url": url, "timeout": "0.2s", "max_attempts": 1})
        silent.set()
        server.shutdown()
        thread.join()
    assert done.one("metrics_error")["message"] == f"`{url}` did not answer within 0.2s"
