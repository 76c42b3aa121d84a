"""The API of the example: countries, page by page, on the loopback interface alone.

`GET /countries?page=1&per_page=50` answers `{"items": [...], "page": 1, "pages": 6}`.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

COUNTRIES = json.loads(Path(__file__).with_name("countries.json").read_text(encoding="utf-8"))
LARGEST_PAGE = 100


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answers with a page of countries, or says what is wrong with the request."""
        url = urlsplit(self.path)
        if url.path != "/countries":
            self.answer(HTTPStatus.NOT_FOUND, {"error": "there is only /countries"})
            return
        query = {key: values[-1] for key, values in parse_qs(url.query).items()}
        try:
            page, size = int(query.get("page", 1)), int(query.get("per_page", 50))
        except ValueError:
            page, size = 0, 0
        if page < 1 or not 1 <= size <= LARGEST_PAGE:
            self.answer(HTTPStatus.BAD_REQUEST, {"error": "page from 1, per_page from 1 to 100"})
            return
        items = COUNTRIES[(page - 1) * size : page * size]
        pages = -(-len(COUNTRIES) // size)
        self.answer(HTTPStatus.OK, {"items": items, "page": page, "pages": pages})

    def answer(self, status: HTTPStatus, body: dict[str, object]) -> None:
        """Sends `body` as JSON."""
        content = json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: the requests show in the runs that make them."""


def main() -> None:
    """Serves until it is told to stop."""
    parser = argparse.ArgumentParser(description="Serves the countries of the world.")
    parser.add_argument("--port", type=int, default=8089, help="0 takes a free one")
    port = parser.parse_args().port
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        print(f"countries on http://127.0.0.1:{server.server_port}/countries", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            sys.exit(0)


if __name__ == "__main__":
    main()
