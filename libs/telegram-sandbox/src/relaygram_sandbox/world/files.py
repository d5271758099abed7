"""Files that clients upload: their parts until a file is made of them, and then what is known of the file.

The bytes are not kept: the record needs size and SHA-256 only.
"""

import struct
from hashlib import blake2b, md5, sha256
from typing import NamedTuple

from relaygram_sandbox.errors import TelegramError
from relaygram_sandbox.store import Store
from relaygram_sandbox.world.images import image_size

PART_BYTES = 512 * 1024
_MAX_PARTS = 4000
_MAX_PHOTO_BYTES = 10 * 1024 * 1024
_MAX_PHOTO_SIDES = 10_000
_MAX_PHOTO_RATIO = 20
_FIRST_ID = 5_000_000_001
_COLUMNS = "id, uploader_id, upload_id, kind, size, sha256, mime_type, file_name, width, height, attributes"


class StoredFile(NamedTuple):
    """A photo or document, in the order of the table's columns."""

    id: int
    uploader_id: int
    upload_id: int
    kind: str
    size: int
    sha256: str
    mime_type: str
    file_name: str | None
    width: int
    height: int
    attributes: bytes | None


class Upload(NamedTuple):
    """What a client says of a file whose parts it has uploaded."""

    upload_id: int
    parts: int
    md5: str
    kind: str
    mime_type: str
    file_name: str | None
    attributes: bytes | None


class Files:
    """All files, and the numbers by which each account may refer to them."""

    def __init__(self, store: Store, secret: bytes) -> None:
        self._store = store
        self._secret = secret
        self._by_id: dict[int, StoredFile] = {}
        self._by_upload: dict[tuple[int, int, str], StoredFile] = {}
        for row in store.iterate(f"SELECT {_COLUMNS} FROM files"):  # noqa: S608 - constant names
            self._index(StoredFile(*row))
        self._next_id = max(self._by_id, default=_FIRST_ID - 1) + 1

    def __getitem__(self, file_id: int) -> StoredFile:
        return self._by_id[file_id]

    def save_part(self, account_id: int, upload_id: int, part: int, data: bytes) -> None:
        """Keep one part; a part that comes again replaces the first."""
        if not 0 <= part < _MAX_PARTS:
            raise TelegramError("FILE_PART_INVALID")
        if not data:
            raise TelegramError("FILE_PART_EMPTY")
        if len(data) > PART_BYTES:
            raise TelegramError("FILE_PART_TOO_BIG")
        self._store.write("INSERT OR REPLACE INTO file_parts VALUES (?, ?, ?, ?)", account_id, upload_id, part, data)

    def assemble(self, account_id: int, upload: Upload) -> StoredFile:
        """Make a file of its parts. The same upload is the same file again."""
        known = self._by_upload.get((account_id, upload.upload_id, upload.kind))
        if known is not None:
            return known
        head, size, digest = self._read_parts(account_id, upload)
        width, height = _photo_size(head, size) if upload.kind == "photo" else (0, 0)
        file = StoredFile(
            self._next_id,
            account_id,
            upload.upload_id,
            upload.kind,
            size,
            digest,
            upload.mime_type,
            upload.file_name,
            width,
            height,
            upload.attributes,
        )
        self._next_id += 1
        self._store.write(f"INSERT INTO files ({_COLUMNS}) VALUES ({','.join('?' * len(file))})", *file)  # noqa: S608 - marks
        self._store.write("DELETE FROM file_parts WHERE account_id = ? AND upload_id = ?", account_id, upload.upload_id)
        self._index(file)
        return file

    def access_hash(self, viewer_id: int, file_id: int) -> int:
        """The number with which the viewer, and nobody else, may refer to the file."""
        return int.from_bytes(self._mac(b"hash", viewer_id, file_id), "little", signed=True)

    def reference(self, viewer_id: int, file_id: int, at: float) -> bytes:
        """A file reference, good from now on for as long as the settings say."""
        made = struct.pack("<d", at)
        return made + self._mac(made, viewer_id, file_id)

    def referenced(
        self, viewer_id: int, kind: str, given: tuple[int, int, bytes], at: float, lifetime: float | None
    ) -> StoredFile:
        """The file that an id, an access hash and a reference name, or Telegram's error."""
        file_id, access_hash, reference = given
        file = self._by_id.get(file_id)
        if file is None or file.kind != kind or access_hash != self.access_hash(viewer_id, file_id):
            raise TelegramError("MEDIA_EMPTY")
        if not reference:
            raise TelegramError("FILE_REFERENCE_EMPTY")
        if reference[8:] != self._mac(reference[:8], viewer_id, file_id):
            raise TelegramError("FILE_REFERENCE_INVALID")
        if lifetime is not None and at - float(struct.unpack_from("<d", reference)[0]) > lifetime:
            raise TelegramError("FILE_REFERENCE_EXPIRED")
        return file

    def _read_parts(self, account_id: int, upload: Upload) -> tuple[bytes, int, str]:
        """The first bytes, the size and the SHA-256 of what was uploaded; one part at a time in memory."""
        if not 1 <= upload.parts <= _MAX_PARTS:
            raise TelegramError("FILE_PARTS_INVALID")
        head, size, usual = b"", 0, 0
        whole, checked = sha256(), md5(usedforsecurity=False)
        for part in range(upload.parts):
            rows = self._store.rows(
                "SELECT data FROM file_parts WHERE account_id = ? AND upload_id = ? AND part = ?",
                account_id,
                upload.upload_id,
                part,
            )
            if not rows:
                raise TelegramError(f"FILE_PART_{part}_MISSING")
            data: bytes = rows[0][0]
            if part == 0:
                head, usual = data, len(data)
            is_last = part == upload.parts - 1
            if len(data) > usual or (not is_last and (len(data) != usual or usual % 1024 or PART_BYTES % usual)):
                raise TelegramError("FILE_PART_SIZE_INVALID")
            size += len(data)
            whole.update(data)
            checked.update(data)
        if upload.md5 and upload.md5 != checked.hexdigest():
            raise TelegramError("MD5_CHECKSUM_INVALID")
        return head, size, whole.hexdigest()

    def _mac(self, what: bytes, viewer_id: int, file_id: int) -> bytes:
        named = what + struct.pack("<qq", viewer_id, file_id)
        return blake2b(named, key=self._secret, digest_size=8, person=b"files").digest()

    def _index(self, file: StoredFile) -> None:
        self._by_id[file.id] = file
        self._by_upload[file.uploader_id, file.upload_id, file.kind] = file


def _photo_size(head: bytes, size: int) -> tuple[int, int]:
    if size > _MAX_PHOTO_BYTES:
        raise TelegramError("PHOTO_SAVE_FILE_INVALID")
    measured = image_size(head)
    if measured is None:
        raise TelegramError("IMAGE_PROCESS_FAILED")
    width, height = measured
    if width + height > _MAX_PHOTO_SIDES or max(measured) > _MAX_PHOTO_RATIO * min(measured):
        raise TelegramError("PHOTO_INVALID_DIMENSIONS")
    return width, height
