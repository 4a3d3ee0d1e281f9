"""`/docs`: the API's documentation as a page to try things on.

All that it loads is served by us (from the package `fastapi-offline`), so that it works where there is no
way to the internet, and nobody else learns who reads it.
"""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

PATH = "/docs"
_FILES = "/docs-files"


def install(app: FastAPI) -> None:
    """Give the application its page."""
    app.mount(_FILES, StaticFiles(packages=[("fastapi_offline", "static")]), name="docs-files")
    app.add_api_route(PATH, _page, include_in_schema=False)


async def _page(request: Request) -> HTMLResponse:
    app: FastAPI = request.app
    root = request.scope.get("root_path", "").rstrip("/")  # where a proxy has put us
    files = root + _FILES
    return get_swagger_ui_html(
        openapi_url=f"{root}{app.openapi_url}",
        title=f"{app.title}: API",
        swagger_js_url=f"{files}/swagger-ui-bundle.js",
        swagger_css_url=f"{files}/swagger-ui.css",
        swagger_favicon_url=f"{files}/favicon.png",
        swagger_ui_parameters={"validatorUrl": "none"},  # else the page may ask swagger.io what it thinks
    )
