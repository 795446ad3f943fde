"""The review desk's web server (Starlette): who may ask it, and what.

It answers only under names that it was given, so that a page of somebody else's cannot reach it by a name that leads
here (DNS rebinding). What changes anything needs a header that a foreign page cannot send without this server's
consent, which it never gives, and where a browser says where the request comes from, that has to be here.
"""

import hmac
import html
import json
from collections.abc import Awaitable, Callable
from dataclasses import astuple
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from resources.errors import MachineFault
from vivid_assets.catalogue.source import registered
from vivid_assets.desk.desk import LARGEST_MASK, SHOWN, Desk, Judgement, Overtaken, as_entry
from vivid_assets.review.page import filled
from vivid_assets.rows.keys import digest

COOKIE, HEADER = "vivid_desk", "x-vivid-desk"
_LARGEST_BODY = 1 << 20
_WISHED = ("tier", "prompt", "background")
_NEEDS_TOKEN = "Open the address with ?token=… that the desk printed."
_HEADS = "".join(f"<th>{head}</th>" for head in ("", "pictures", "to look at", "flagged", "accepted"))
_SAFE = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def desk_app(desk: Desk, *, hosts: set[str], token: str = "", read_only: bool = False) -> Starlette:
    """The application.

    Args:
        desk: what it serves.
        hosts: the names that it answers under, without port.
        token: without it nobody gets an answer; empty: nobody needs one.
        read_only: whether everything that changes something is refused.
    """
    answers = _Answers(desk, read_only=read_only)
    changes = [
        Route(f"/{{catalogue}}/{name}", getattr(answers, name), methods=["POST"])
        for name in ("judge", "wish", "mask", "launch")
    ]
    return Starlette(
        routes=[
            Route("/", answers.index),
            Route("/{catalogue}", answers.page),
            Route("/{catalogue}/row", answers.row),
            Route("/{catalogue}/small/{part}", answers.small),
            Route("/{catalogue}/full/{part}", answers.full),
            *changes,
        ],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=_guard(hosts, token, read_only=read_only))],
        exception_handlers={ValueError: _refused, FileNotFoundError: _refused, MachineFault: _refused},
    )


class _Answers:
    """What is answered under each address."""

    def __init__(self, desk: Desk, *, read_only: bool) -> None:
        self._desk, self._read_only = desk, read_only

    async def index(self, _request: Request) -> Response:
        rows = await run_in_threadpool(self._counted)
        body = f"<table cellpadding=6><thead><tr>{_HEADS}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        page = f"<!doctype html><meta charset=utf-8><title>Review desk</title><h1>Review desk</h1>{body}"
        return HTMLResponse(page, headers={"Content-Security-Policy": "default-src 'none'"})

    def _counted(self) -> list[str]:
        """A row of the index for each catalogue; one whose settings or records cannot be read says why."""
        rows = []
        for name in (one.name for one in registered(self._desk.store)):
            cells = f'<th align=left><a href="/{name}">{html.escape(name)}</a></th>'
            try:
                counts = self._desk.counts(name)
                cells += "".join(f"<td align=right>{number:,}</td>" for number in astuple(counts))
            except (ValueError, MachineFault) as error:
                cells += f"<td colspan=4>{html.escape(str(error))}</td>"
            rows.append(f"<tr>{cells}</tr>")
        return rows

    async def page(self, request: Request) -> Response:
        name, asked = request.path_params["catalogue"], request.query_params.get("after", "")
        after = int(asked) if asked.isdecimal() else 0
        entries, count = await run_in_threadpool(self._desk.entries, name, after)
        panel = "" if self._read_only else await run_in_threadpool(self._panel, name)
        if after + SHOWN < count:
            panel += f'<p><a href="/{name}?after={after + SHOWN}">The next {min(SHOWN, count - after - SHOWN)}</a></p>'
        key = digest([[one["name"], one["key"]] for one in entries])
        return HTMLResponse(filled(name, entries, key, panel=panel, script=_script(), from_="'self'"))

    def _panel(self, catalogue: str) -> str:
        known = self._desk.tiers(catalogue).items()
        tiers = (f'<option value="{html.escape(tier)}">' for tier, missing in known if not missing)
        return _part("panel.html").replace("{{tiers}}", "".join(tiers))

    async def row(self, request: Request) -> Response:
        entry = await run_in_threadpool(self._desk.entry, request.path_params["catalogue"], *_names(request))
        return JSONResponse(entry, headers={"Cache-Control": "no-store"})

    async def small(self, request: Request) -> Response:
        parts = request.path_params
        data = await run_in_threadpool(self._desk.small, parts["catalogue"], *_names(request), parts["part"])
        return Response(data, media_type="image/webp", headers={"Cache-Control": "private, max-age=86400"})

    async def full(self, request: Request) -> Response:
        parts = request.path_params
        data, kind = await run_in_threadpool(self._desk.full, parts["catalogue"], *_names(request), parts["part"])
        return Response(data, media_type=kind, headers={"Cache-Control": "private, max-age=86400"})

    async def judge(self, request: Request) -> Response:
        said = await _json(request)
        judgement = Judgement(*(_text(said, name) for name in ("picture", "name", "judgement", "key", "seen")))
        await run_in_threadpool(self._desk.judge, request.path_params["catalogue"], judgement)
        return JSONResponse({})

    async def wish(self, request: Request) -> Response:
        said, catalogue = await _json(request), request.path_params["catalogue"]
        name, changes = _text(said, "picture"), {one: _text(said, one) for one in _WISHED if one in said}
        asked = await run_in_threadpool(self._desk.wish, catalogue, name, changes)
        return JSONResponse({"wish": as_entry(asked), "said": "Kept."})

    async def mask(self, request: Request) -> Response:
        data = await _body(request, LARGEST_MASK)
        asked = await run_in_threadpool(self._desk.mask, request.path_params["catalogue"], _names(request)[0], data)
        return JSONResponse({"wish": as_entry(asked), "said": "The mask is kept." if data else "It is taken back."})

    async def launch(self, request: Request) -> Response:
        await _body(request, _LARGEST_BODY)
        runs, said = await run_in_threadpool(self._desk.launch, request.path_params["catalogue"])
        return JSONResponse({"runs": runs, "said": said})


def _guard(hosts: set[str], token: str, *, read_only: bool) -> Callable[..., Awaitable[Response]]:
    """Lets through who may ask."""

    async def guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        refusal = _why_not(request, hosts, read_only=read_only)
        if refusal:
            return JSONResponse({"said": refusal}, 403, headers=_SAFE)
        if token:
            given = request.query_params.get("token")
            if given is not None and request.method == "GET" and hmac.compare_digest(given.encode(), token.encode()):
                answer: Response = RedirectResponse(request.url.path, 303, headers=_SAFE)
                answer.set_cookie(COOKIE, token, httponly=True, samesite="strict", secure=request.url.scheme == "https")
                return answer
            if not hmac.compare_digest(request.cookies.get(COOKIE, "").encode(), token.encode()):
                return JSONResponse({"said": _NEEDS_TOKEN}, 401, headers=_SAFE)
        answer = await call_next(request)
        answer.headers.update(_SAFE)
        return answer

    return guard


def _why_not(request: Request, hosts: set[str], *, read_only: bool) -> str:
    """Why a request is refused; empty if it is not."""
    host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    if host not in hosts:
        return "This desk does not answer under that name."
    if request.method in ("GET", "HEAD"):
        return ""
    origin = request.headers.get("origin")
    is_here = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    if HEADER not in request.headers or not is_here or request.headers.get("sec-fetch-site") == "cross-site":
        return "This request comes from another page."
    return "The desk is read-only." if read_only else ""


async def _refused(_request: Request, error: Exception) -> Response:
    status = 404 if isinstance(error, FileNotFoundError) else 409 if isinstance(error, Overtaken) else 400
    return JSONResponse({"said": str(error)}, status)


async def _body(request: Request, largest: int) -> bytes:
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > largest:
            raise ValueError(f"That is more than {largest >> 20} MB.")
    return bytes(data)


async def _json(request: Request) -> dict[str, Any]:
    try:
        said = json.loads(await _body(request, _LARGEST_BODY))
    except ValueError as error:
        raise ValueError(f"That is no JSON: {error}") from error
    if not isinstance(said, dict):
        raise ValueError("That is no JSON object.")
    return said


def _text(said: dict[str, Any], name: str) -> str:
    value = said.get(name, "")
    if not isinstance(value, str):
        raise ValueError(f"{name} is no text.")
    return value


def _names(request: Request) -> tuple[str, str]:
    """The picture, and the row of the review: one of its renditions."""
    picture = request.query_params.get("picture", "")
    return picture, request.query_params.get("name", picture)


def _script() -> str:
    """Both in one: what draws comes first, as what uses it expects."""
    return _part("draw.js") + _part("desk.js")


@cache
def _part(name: str) -> str:
    return files("vivid_assets.desk").joinpath(name).read_text(encoding="utf-8")
