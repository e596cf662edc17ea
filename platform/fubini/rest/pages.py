"""The built pages: any address that is not the API's answers with the one page, which finds its way by the address.

Decides what a page may load: scripts only from this origin and never inline, so that nothing a step, a log or a name
contains can run. Files with a hash in their names come from the static files' middleware before this is reached.
"""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import ensure_csrf_cookie

from fubini.rest.errors import page_not_found

# Styles are inline because the component library sets custom properties on elements; scripts never are.
PAGE_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "frame-src 'self' blob:",
        "manifest-src 'self'",
        "base-uri 'none'",
        " ".join(["form-action 'self'", *settings.FUBINI["SIGN_IN_ORIGINS"]]),
        "frame-ancestors 'none'",
    ]
)


@ensure_csrf_cookie
def page(request: HttpRequest, path: str = "") -> HttpResponse:
    """The page, never cached; 404 for files that are not there and where no pages were built."""
    root = settings.WHITENOISE_ROOT
    name = path.rpartition("/")[2]
    if request.method not in ("GET", "HEAD") or root is None or "." in name:
        return page_not_found(request)
    response = HttpResponse(Path(root, "index.html").read_bytes(), content_type="text/html; charset=utf-8")
    response["Content-Security-Policy"] = PAGE_POLICY
    response["Cache-Control"] = "no-cache"
    response["Referrer-Policy"] = "same-origin"
    return response
