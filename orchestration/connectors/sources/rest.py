"""REST: records from an HTTP API that answers JSON, page by page."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast
from urllib.parse import urljoin, urlsplit

from pydantic import AfterValidator, Field, SecretStr

from orchestration.connectors.errors import SourceError
from orchestration.connectors.jsontext import parse_json
from orchestration.connectors.options import (
    Duration,
    Incremental,
    Name,
    Options,
    RecordOptions,
    is_reference,
)
from orchestration.connectors.source import RecordSource
from orchestration.domain.durations import parse_duration

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from dlt.sources.helpers.rest_client.paginators import BasePaginator
    from requests import Response, Session
    from requests.auth import AuthBase

    from orchestration.connectors.source import Reading

_FIRST_WAIT_SECONDS = 2
_LONGEST_WAIT_SECONDS = 30


def _http_url(url: str) -> str:
    if not is_reference(url) and (
        urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname
    ):
        message = "a URL starts with `http://` or `https://` and names a host"
        raise ValueError(message)
    return url


class BearerAuth(Options):
    """A token in the header `Authorization`."""

    kind: Literal["bearer"]
    token: SecretStr = Field(description="The token, as `${NAME}`.")


class ApiKeyAuth(Options):
    """A key in a header or in the query."""

    kind: Literal["api_key"]
    api_key: SecretStr = Field(description="The key, as `${NAME}`.")
    name: Name = Field(default="X-API-Key", description="Name of the header or query parameter.")
    location: Literal["header", "query"] = Field(default="header", description="Where it goes.")


class BasicAuth(Options):
    """A user name and a password."""

    kind: Literal["basic"]
    username: Name = Field(description="The user name.")
    password: SecretStr = Field(description="The password, as `${NAME}`.")


class PageNumber(Options):
    """Pages by number, until one is empty."""

    kind: Literal["page_number"]
    page_param: Name = Field(default="page", description="Query parameter of the page number.")
    first_page: int = Field(default=1, ge=0, description="Number of the first page.")
    total_path: Name | None = Field(
        default=None, description="JSON path of the number of pages in the answer, if it is there."
    )


class Offset(Options):
    """Pages by offset and limit, until one is empty."""

    kind: Literal["offset"]
    limit: int = Field(gt=0, description="Records a page.")
    offset_param: Name = Field(default="offset", description="Query parameter of the offset.")
    limit_param: Name = Field(default="limit", description="Query parameter of the limit.")
    total_path: Name | None = Field(
        default=None, description="JSON path of the number of records in the answer, if any."
    )


class JsonLink(Options):
    """The URL of the next page stands in the answer."""

    kind: Literal["json_link"]
    next_path: Name = Field(default="next", description="JSON path of that URL.")


class HeaderLink(Options):
    """The URL of the next page stands in the header `Link`."""

    kind: Literal["header_link"]
    rel: Name = Field(default="next", description="The relation of that link.")


class Cursor(Options):
    """The answer holds a token for the next page."""

    kind: Literal["cursor"]
    cursor_path: Name = Field(description="JSON path of the token.")
    cursor_param: Name = Field(default="cursor", description="Query parameter that takes it.")


Auth = Annotated[BearerAuth | ApiKeyAuth | BasicAuth, Field(discriminator="kind")]
Pagination = Annotated[
    PageNumber | Offset | JsonLink | HeaderLink | Cursor, Field(discriminator="kind")
]


class RestIncremental(Incremental):
    """Only what is new or changed, asked for with a query parameter if the API has one."""

    param: Name | None = Field(
        default=None,
        description="Query parameter that takes the last cursor value. Without it, all records are "
        "asked for and the old ones dropped here.",
    )


class RestOptions(RecordOptions):
    """Options of the source `rest`."""

    ACCESS = frozenset({"auth", "headers", "timeout", "max_attempts", "max_pages"})

    url: Annotated[Name, AfterValidator(_http_url)] = Field(description="The URL of the records.")
    params: dict[str, str | int | float | bool] = Field(default={}, description="Query parameters.")
    headers: dict[str, str] = Field(default={}, description="Request headers.")
    auth: Auth | None = Field(
        default=None, description="Credentials; they are sent to the host of `url` alone."
    )
    data_selector: Name | None = Field(
        default=None,
        description="JSON path of the list of records in an answer. Not needed where the answer is "
        "the list.",
    )
    pagination: Pagination | None = Field(
        default=None, description="How to get the next page. Without it there is one."
    )
    max_pages: int = Field(
        default=100_000, gt=0, description="More pages than this are an error, not a longer run."
    )
    incremental: RestIncremental | None = Field(  # pyright: ignore[reportIncompatibleVariableOverride] - the model is frozen
        default=None,
        description="Load only what is new or changed. Without it, all is read and, if "
        "anything changed, loaded.",
    )
    timeout: Duration = Field(default="30s", description="How long one answer may take.")
    max_attempts: int = Field(
        default=5,
        ge=1,
        le=20,
        description="Attempts for each request. Again after 2, 4, 8 ... (at most 30) seconds, or "
        "as `Retry-After` says: connection errors, timeouts, 429 and 5xx.",
    )


def source(options: RestOptions, folder: Path) -> RecordSource:
    """The records of an HTTP API."""
    del folder  # an API has no paths
    return RecordSource(options, lambda reading: _ask(options, reading))


def _ask(options: RestOptions, reading: Reading) -> Iterator[list[dict[str, Any]]]:
    from dlt.sources.helpers.rest_client.client import RESTClient

    class Client(RESTClient):
        def extract_response(self, response: Response, data_selector: Any) -> list[Any]:
            del data_selector  # ours is in the options, and says when it selects nothing
            return _records(options, response)

    def watch(response: Response, *_: Any, **__: Any) -> None:
        reading.tally.requests[str(response.status_code)] += 1
        if response.is_redirect:
            _stay_on_host(options.url, urljoin(response.url, response.headers["location"]))
        response.raise_for_status()

    with _explained(options), closing(_session(options)) as session:
        pages = Client(options.url, session=session, auth=_auth(options)).paginate(
            options.url,
            headers=options.headers,
            params=_params(options, reading.start),
            paginator=_paginator(options.pagination),
            data_selector="$",
            hooks={"response": [watch]},
        )
        for number, page in enumerate(pages, start=1):
            _check_next(options, number, cast("str | None", page.request.url))
            yield list(page)


def _session(options: RestOptions) -> Session:
    from dlt.sources.helpers.requests import Client

    return Client(
        request_timeout=parse_duration(options.timeout),
        raise_for_status=False,
        request_max_attempts=options.max_attempts,
        request_backoff_factor=_FIRST_WAIT_SECONDS,
        request_max_retry_delay=_LONGEST_WAIT_SECONDS,
    ).session


def _auth(options: RestOptions) -> AuthBase | None:
    from dlt.sources.helpers.rest_client import auth as dlt_auth

    match options.auth:
        case BearerAuth(token=token):
            return dlt_auth.BearerTokenAuth(token=token.get_secret_value())
        case ApiKeyAuth(api_key=key, name=name, location=location):
            return dlt_auth.APIKeyAuth(name=name, api_key=key.get_secret_value(), location=location)
        case BasicAuth(username=username, password=password):
            return dlt_auth.HttpBasicAuth(username=username, password=password.get_secret_value())
        case None:
            return None


def _paginator(pagination: Pagination | None) -> BasePaginator:
    from dlt.sources.helpers.rest_client import paginators

    match pagination:
        case PageNumber(page_param=param, first_page=first, total_path=total):
            return paginators.PageNumberPaginator(first, page_param=param, total_path=total)
        case Offset(limit=limit, offset_param=offset_param, limit_param=param, total_path=total):
            return paginators.OffsetPaginator(
                limit, offset_param=offset_param, limit_param=param, total_path=total
            )
        case JsonLink(next_path=path):
            return paginators.JSONLinkPaginator(path)
        case HeaderLink(rel=rel):
            return paginators.HeaderLinkPaginator(rel)
        case Cursor(cursor_path=path, cursor_param=param):
            return paginators.JSONResponseCursorPaginator(path, param)
        case None:
            return paginators.SinglePagePaginator()


def _params(options: RestOptions, start: Any) -> dict[str, Any]:
    param = options.incremental.param if options.incremental else None
    return {**options.params, param: start} if param and start is not None else {**options.params}


def _records(options: RestOptions, response: Response) -> list[Any]:
    """The records of one answer."""
    content = _content(options, response)
    selected = _selected(options, content)
    if selected is None or not all(isinstance(record, dict) for record in selected):
        keys = cast("dict[str, Any]", content) if isinstance(content, dict) else ["a list"]
        raise SourceError(
            f"`{options.data_selector or '$'}` selects no objects in the answer of "
            f"`{_plain(options.url)}`",
            help="set `data_selector` to the JSON path of the records; the answer has "
            + ", ".join(f"`{key}`" for key in keys),
        )
    return selected


def _selected(options: RestOptions, content: Any) -> list[Any] | None:
    from dlt.common.jsonpath import find_values

    if options.data_selector is None:
        return cast("list[Any]", content) if isinstance(content, list) else None
    found = find_values(options.data_selector, content)
    if len(found) == 1 and isinstance(found[0], list):
        return cast("list[Any]", found[0])
    return found or None


def _content(options: RestOptions, response: Response) -> Any:
    try:
        return parse_json(response.content)
    except (ValueError, RecursionError) as error:
        raise SourceError(
            f"`{_plain(options.url)}` answered something that is no JSON",
            help="is it the right URL?",
        ) from error


def _check_next(options: RestOptions, pages: int, url: str | None) -> None:
    if url:
        _stay_on_host(options.url, url)
    if pages > options.max_pages:
        raise SourceError(
            f"`{_plain(options.url)}` has more than {options.max_pages} pages",
            help="raise `max_pages`, or see whether the pages repeat themselves",
        )


def _stay_on_host(url: str, following: str) -> None:
    """Refuses to follow a link to another host, or from HTTPS to HTTP, with our credentials."""
    here, there = urlsplit(url), urlsplit(following)
    downgraded = here.scheme == "https" and there.scheme != "https"
    if here.hostname != there.hostname or downgraded:
        raise SourceError(
            f"`{_plain(url)}` leads to `{_plain(following)}`",
            help="links to another host, or from https to http, are not followed; if it is right, "
            "set `url` to it",
        )


@contextmanager
def _explained(options: RestOptions) -> Generator[None]:
    import requests

    where = f"`{_plain(options.url)}`"
    try:
        yield
    except requests.HTTPError as error:
        response = cast("Response", error.response)
        raise SourceError(
            f"{where} answered {response.status_code} {response.reason}",
            help=_help(response.status_code),
        ) from error
    except requests.Timeout as error:
        raise SourceError(
            f"{where} did not answer within {options.timeout}", help="raise `timeout`, or ask why"
        ) from error
    except requests.RequestException as error:
        raise SourceError(
            f"{where} cannot be reached: {_cause(error)}",
            help="is the address right, and does the server run?",
        ) from error


def _help(status: int) -> str:
    if status in (401, 403):
        return "are the credentials in `auth` right, and may they read this?"
    if status == 429:
        return "the API limits requests; run the job less often, or retry it later"
    return "is the URL right?" if status < 500 else "the server has a problem; retry later"


def _cause(error: Exception) -> str:
    """The innermost reason, as the operating system gives it where it does."""
    innermost: BaseException = error
    while innermost.__context__ is not None:
        innermost = innermost.__context__
    reason = innermost.strerror if isinstance(innermost, OSError) else None
    return f"{type(error).__name__}: {reason or type(innermost).__name__}"


def _plain(url: str) -> str:
    """The URL without user, password, query and fragment."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{host}{port}{parts.path}"
