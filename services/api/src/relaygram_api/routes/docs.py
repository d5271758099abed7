"""The pages about the API; they need nothing from the internet."""

from importlib.resources import files

from fastapi import APIRouter, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from relaygram_api import openapi

router = APIRouter()
_ASSETS = "/docs/assets"


@router.get("/docs", include_in_schema=False)
async def page() -> Response:
    """Swagger UI."""
    return get_swagger_ui_html(
        openapi_url="/docs/openapi.json",
        title="Relaygram API",
        swagger_js_url=f"{_ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{_ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{_ASSETS}/favicon.png",
        swagger_ui_parameters={"persistAuthorization": True, "tryItOutEnabled": True},
    )


@router.get("/docs/openapi.json", include_in_schema=False)
async def document(request: Request) -> Response:
    """What the page shows."""
    state = request.app.state
    if not hasattr(state, "openapi_document"):
        state.openapi_document = openapi.text(request.app)
    return Response(state.openapi_document, media_type="application/json")


def assets() -> Mount:
    """Swagger UI's files, from the wheel that brings them."""
    return Mount(_ASSETS, StaticFiles(directory=str(files("fastapi_offline") / "static")))
