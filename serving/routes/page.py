"""The live page at ``/``: files of the package as they are, under a content policy that allows nothing from elsewhere.

Nothing is built and nothing inlined. The files are read once; a browser asks whether they have changed at each visit.
"""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

from fastapi import Request, Response
from starlette.routing import BaseRoute

from serving.routes.route import route

FOLDER = Path(__file__).parents[1] / "page"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def routes() -> list[BaseRoute]:
    """Return the page and its files, a route each; open, because they hold nothing but the page."""
    files = sorted(path for path in FOLDER.rglob("*") if path.suffix in _TYPES)
    return [_file(path, "/" if path.name == "index.html" else f"/page/{path.relative_to(FOLDER)}") for path in files]


def _file(path: Path, at: str) -> BaseRoute:
    body = path.read_bytes()
    tag = f'"{blake2b(body, digest_size=12).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache", "Content-Security-Policy": POLICY}

    async def file(request: Request) -> Response:
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type=_TYPES[path.suffix])

    return route(at, file, None, role="open", include_in_schema=False)
