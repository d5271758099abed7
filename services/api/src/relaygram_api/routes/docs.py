"""The pages about the API."""

from fastapi import APIRouter

router = APIRouter()
