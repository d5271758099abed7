"""The pages about the API; they need nothing from the internet."""

import asyncio
from importlib.resources import files

from fastapi import APIRouter, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from relaygram_api import openapi

router = APIRouter()
_ASSETS = "/docs/assets"
_SETTINGS = {
    "persistAuthorization": True,
    "tryItOutEnabled": True,
    "displayRequestDuration": True,
    "defaultModelsExpandDepth": 0,
    # Swagger UI would ask validator.swagger.io about every document that is not on localhost.
    "validatorUrl": None,
}
# The page's one script stands in it; everything else is one of its files.
_ONLY_FROM_HERE = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


@router.get("/docs", include_in_schema=False)
async def page() -> Response:
    """Swagger UI."""
    shown = get_swagger_ui_html(
        openapi_url="/docs/openapi.json",
        title="Relaygram API",
        swagger_js_url=f"{_ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{_ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{_ASSETS}/favicon.png",
        swagger_ui_parameters=_SETTINGS,
    )
    shown.headers["Content-Security-Policy"] = _ONLY_FROM_HERE
    return shown


@router.get("/docs/openapi.json", include_in_schema=False)
async def document(request: Request) -> Response:
    """What the page shows."""
    state = request.app.state
    if not hasattr(state, "openapi_document"):
        # A quarter of a second, once.
        state.openapi_document = await asyncio.to_thread(openapi.text, request.app)
    return Response(state.openapi_document, media_type="application/json")


def assets() -> Mount:
    """Swagger UI's files, from the wheel that brings them."""
    return Mount(_ASSETS, StaticFiles(directory=str(files("fastapi_offline") / "static")))
