"""upload.*: the parts of files, before a message or messages.uploadMedia makes files of them."""

from typing import Any

from telethon.tl import functions

from relaygram_sandbox.rpc.registry import Call, answers


@answers(functions.upload.SaveFilePartRequest, functions.upload.SaveBigFilePartRequest)
def save_file_part(call: Call, request: Any) -> Any:
    """Keep one part of a file."""
    files = call.telegram.world.files
    files.save_part(call.account.id, request.file_id, request.file_part, request.bytes)
    return True
