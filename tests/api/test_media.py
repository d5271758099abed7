"""Media: uploads in pieces, by their bytes, and addresses that lead nowhere they should not."""

import asyncio
import datetime
import hashlib
import socket
import ssl
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from relaygram_api.core.media import safe_name
from relaygram_api.core.public_address import is_public
from relaygram_common import identity
from relaygram_local_stack.servers import NatsServer
from tests.api.support import Api, another_api, running_api
from tests.support.servers import Database

PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
    + b"x" * 64
)
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00" + b"y" * 64 + b"\xff\xd9"
PDF = b"%PDF-1.7\n" + b"z" * 64 + b"\n%%EOF"
MIB = 1024 * 1024


async def upload(api: Api, content: bytes, name: str = "file.bin", status: int = 201, **fields: Any) -> Any:
    return await api.call("POST", "/media", status=status, files={"file": (name, content, "image/png")}, data=fields)


async def stored(api: Api, media_id: int) -> list[int]:
    """The sizes of its chunks, whose bytes are those of its hash."""
    sizes: list[int] = await api.sql(
        "select array_agg(length(data) order by chunk) from control.media_chunks where media_id = $1", media_id
    )
    whole = await api.sql(
        "select sha256(string_agg(data, '' order by chunk)) = (select sha256 from control.media where id = $1) "
        "from control.media_chunks where media_id = $1",
        media_id,
    )
    assert whole
    return sizes


@pytest.mark.parametrize(
    ("content", "name", "mime_type", "kind"),
    [
        (PNG, "photo.exe", "image/png", "photo"),
        (JPEG, "photo.png", "image/jpeg", "photo"),
        (PDF, "fake.png", "application/pdf", "document"),
        (b"<svg/>", "a.png", None, "document"),
        (b"just text", "photo.jpg", "text/plain", "document"),
        (b"\0\1\2", "photo.jpg", "application/octet-stream", "document"),
        ("grün".encode(), "x.txt", "text/plain", "document"),
    ],
)
async def test_what_a_file_is_its_bytes_say(
    api: Api, content: bytes, name: str, mime_type: str | None, kind: str
) -> None:
    made = (await upload(api, content, name))["data"]
    assert (made["mime_type"], made["kind"]) == (mime_type or made["mime_type"], kind)
    assert made["mime_type"] != "image/png" or content is PNG
    assert (made["size_bytes"], made["file_name"]) == (len(content), name)
    assert made["sha256"] == hashlib.sha256(content).hexdigest()
    assert await api.data("GET", f"/media/{made['id']}") == made
    assert await stored(api, made["id"]) == [len(content)]


async def test_a_photo_can_go_as_a_document_and_nothing_else_as_a_photo(api: Api) -> None:
    assert (await upload(api, PNG, kind="document"))["data"]["kind"] == "document"
    assert (await upload(api, PNG, kind="photo"))["data"]["kind"] == "photo"
    assert list((await upload(api, PDF, status=422, kind="photo"))["errors"]) == ["kind"]
    assert list((await upload(api, PNG, status=422, kind="video"))["errors"]) == ["kind"]


async def test_a_large_file_is_stored_in_chunks_with_flat_memory(api: Api) -> None:
    piece = bytes(range(256)) * 256

    async def form() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="large.bin"\r\n\r\n'
        for _ in range(15 * MIB // len(piece)):
            yield piece
        yield b"\r\n--b--\r\n"

    tracemalloc.start()
    made = await api.data(
        "POST", "/media", status=201, content=form(), headers={"Content-Type": "multipart/form-data; boundary=b"}
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (made["size_bytes"], await stored(api, made["id"])) == (15 * MIB, [MIB] * 15)
    assert peak < 8 * MIB, f"{peak / MIB:.1f} MiB at once"


async def test_a_file_over_the_bound_is_413_and_leaves_nothing(api: Api) -> None:
    rows = "select count(*) from control.media"
    before = await api.sql(rows)
    async with another_api(api, max_media_bytes=2 * MIB) as client:
        for size, status in ((2 * MIB + 1, 413), (3 * MIB, 413), (2 * MIB, 201)):
            answer = await client.post("/api/v1/media", files={"file": ("x", b"x" * size)})
            assert answer.status_code == status, answer.text
    assert await api.sql(rows) == before + 1


HEAD = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b"", "body"), (b"nonsense", "body"), (b"--b--\r\n", "file"), (HEAD + b"x", "body"), (HEAD, "body"),
        (HEAD + b"\r\n--b--\r\n", "file"), (HEAD + b"x\r\n" + HEAD + b"y\r\n--b--\r\n", "file"),
        (b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\nx\r\n--b--\r\n', "x"),
        (b"--b\r\n\r\nx\r\n--b--\r\n", "body"),
        (b'--b\r\nContent-Disposition: form-data; name="kind"\r\n\r\n' + b"x" * 101 + b"\r\n--b--\r\n", "kind"),
        (b"--b\r\nX: " + b"x" * 5000 + b"\r\n\r\nx\r\n--b--\r\n", "body"),
    ],
)  # fmt: skip
async def test_what_is_no_form_with_one_file_is_422(api: Api, content: bytes, field: str) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    assert list(await api.errors("POST", "/media", content=content, headers=headers)) == [field]


async def test_a_form_without_boundary_or_of_another_type_is_refused(api: Api) -> None:
    errors = await api.errors("POST", "/media", content=b"x", headers={"Content-Type": "multipart/form-data"})
    assert list(errors) == ["body"]
    await api.call("POST", "/media", status=415, content=b"x", headers={"Content-Type": "image/png"})


async def test_the_same_key_adds_one_file(api: Api) -> None:
    headers = {"Idempotency-Key": "one-photo", "Content-Type": "multipart/form-data; boundary=b"}
    content = HEAD + PNG + b"\r\n--b--\r\n"
    first = await api.data("POST", "/media", status=201, content=content, headers=headers)
    assert await api.data("POST", "/media", status=201, content=content, headers=headers) == first
    other = HEAD + PDF + b"\r\n--b--\r\n"
    assert list(await api.errors("POST", "/media", content=other, headers=headers)) == ["Idempotency-Key"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a.png", "a.png"), ("../../etc/passwd", "passwd"), ("C:\\x\\b.jpg", "b.jpg"), (".hidden", "hidden"),
        ("a\0b\nc.png", "abc.png"), ("\u202egnp.exe", "gnp.exe"), ("", None), ("..", None), (None, None),
        ("x" * 300 + ".png", "x" * 251 + ".png"),
    ],
)  # fmt: skip
def test_a_name_does_no_harm(given: str | None, kept: str | None) -> None:
    assert safe_name(given) == kept


async def test_campaigns_and_steps_carry_one_file_of_the_workspace_and_their_texts_become_captions(api: Api) -> None:
    media = (await upload(api, PNG))["data"]["id"]
    campaign = await api.campaign(attachments=[media])
    path = f"/campaigns/{campaign['id']}"
    assert campaign["attachments"] == [media]
    assert list(await api.errors("PUT", path, json={"body": "x" * 1025})) == ["body"]
    assert (await api.data("PUT", path, json={"body": ""}))["body"] == ""  # a photo needs no words
    shown = await api.data("POST", f"{path}/preview", json={"body": "{{handle}}"})
    assert (shown["limit"], shown["attachments"], shown["problem"]) == (1024, [media], None)
    assert list(await api.errors("PUT", path, json={"attachments": []})) == ["body"]
    changed = await api.data("PUT", path, json={"attachments": [], "body": "x" * 1025})
    assert (changed["attachments"], len(changed["body"])) == ([], 1025)
    assert list(await api.errors("PUT", path, json={"attachments": [media]})) == ["body"]
    for wrong in ([999_999], [media, media], [0], ["x"], None):
        errors = await api.errors("PUT", path, json={"attachments": wrong, "body": "x"})
        assert next(iter(errors)).startswith("attachments")
    step = {"body": "x" * 1025, "attachments": [media], "followups": [{"after_hours": 1, "body": "y" * 1025}]}
    assert list(await api.errors("PUT", f"{path}/steps", json={"steps": [step]})) == ["steps.0.body"]
    (saved,) = await api.data("PUT", f"{path}/steps", json={"steps": [{**step, "body": ""}]})
    assert saved["attachments"] == [media]
    test = await api.data("POST", f"{path}/test", status=202, json={"handle": "@jane_doe"})
    kept = await api.sql("select attachments from control.single_sends where job_id = $1::uuid", test["job_id"])
    assert kept == [media]


async def test_another_workspaces_file_is_nobodys(api: Api) -> None:
    media = (await upload(api, PNG))["data"]["id"]
    await identity.bootstrap(api.database.dsn, workspace="second", email="other@example.com")
    token = await identity.create_token(api.database.dsn, "other@example.com", "t", ["*"])
    async with api.bearing(token) as client:
        account = (
            await client.post("/api/v1/telegram-accounts", json={"kind": "user", "phone": "+4915190000077"})
        ).json()
        body = {"name": "x", "mode": "broadcast", "body": "x", "telegram_account_id": account["data"]["id"]}
        refused = await client.post("/api/v1/campaigns", json={**body, "attachments": [media]})
        assert refused.json()["errors"] == {"attachments": ["is not media of this workspace"]}
        campaign = (await client.post("/api/v1/campaigns", json=body)).json()["data"]["id"]
        steps = {"steps": [{"body": "x", "attachments": [media]}]}
        refused = await client.put(f"/api/v1/campaigns/{campaign}/steps", json=steps)
        assert list(refused.json()["errors"]) == ["steps.0.attachments"]


async def test_more_files_at_once_than_there_is_room_for_are_429(api: Api) -> None:
    async with AsyncExitStack() as held:
        while not api.parts.uploads.locked():
            await held.enter_async_context(api.parts.uploads)
        refused = await api.client.post("/api/v1/media", files={"file": ("x", b"x")})
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "5")
    await upload(api, b"x")


class Web:
    """A web server that answers what it is told to, and notes what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes] = {}
        self.asked: list[bytes] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head)
        path = head.split()[1].decode()
        writer.write(self.answers.get(path, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"))
        if path == "/silent":
            await reader.read()
        writer.close()

    def file(self, path: str, content: bytes, *head: str) -> str:
        lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(content)}", *head, "", ""]
        self.answers[path] = "\r\n".join(lines).encode() + content
        return self.url(path)

    def redirect(self, path: str, to: str) -> str:
        self.answers[path] = f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()
        return self.url(path)

    def url(self, path: str, host: str = "localhost") -> str:
        return f"http://{host}:{self.port}{path}"


@asynccontextmanager
async def a_web() -> AsyncIterator[Web]:
    web = Web()
    server = await asyncio.start_server(web.serve, "127.0.0.1", 0)
    web.port = server.sockets[0].getsockname()[1]
    async with server:
        yield web


@pytest.fixture(scope="module")
async def web() -> AsyncIterator[Web]:
    async with a_web() as running:
        yield running


@pytest.fixture(scope="module")
async def open_api(database: Database, provisioned_nats: NatsServer) -> AsyncIterator[Api]:
    """One that fetches from this machine too."""
    async with running_api(
        database, provisioned_nats.url, media_allow_private=True, media_fetch_seconds=1.0, max_media_bytes=MIB
    ) as running:
        yield running


async def test_media_is_fetched_by_its_address(open_api: Api, web: Web) -> None:
    url = web.file("/a%20b.png?x=1", PNG)
    made = await open_api.data("POST", "/media", status=201, json={"url": url})
    assert (made["kind"], made["file_name"], made["size_bytes"]) == ("photo", "a b.png", len(PNG))
    assert await stored(open_api, made["id"]) == [len(PNG)]
    asked = web.asked[-1].lower()
    assert f"host: localhost:{web.port}".encode() in asked
    assert b"authorization" not in asked
    named = {"url": url, "kind": "document", "file_name": "spring.png"}
    made = await open_api.data("POST", "/media", status=201, json=named)
    assert (made["kind"], made["file_name"]) == ("document", "spring.png")


async def test_redirects_are_followed_a_few_times(open_api: Api, web: Web) -> None:
    web.file("/there", PDF)
    first = web.redirect("/here", "/there")
    assert (await open_api.data("POST", "/media", status=201, json={"url": first}))["mime_type"] == "application/pdf"
    loop = web.redirect("/loop", "/loop")
    errors = await open_api.errors("POST", "/media", json={"url": loop})
    assert errors == {"url": ["redirects more than 3 times"]}


async def test_what_can_not_be_fetched_is_said(open_api: Api, web: Web) -> None:
    web.answers["/silent"] = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx"
    web.answers["/cut"] = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx"
    large = web.file("/large", b"x" * (MIB + 1))
    packed = web.file("/packed", b"x", "Content-Encoding: gzip")
    for url, problem in (
        (web.url("/nothing"), "is answered with 404"), (large, f"is larger than {MIB} bytes"),
        (packed, "is sent compressed"), (web.url("/silent"), "took longer than 1 s"),
        (web.url("/cut"), "can not be read"),
        ("http://127.0.0.1:1/x", "can not be read"), ("http://nowhere.invalid/x", "names a host that can not be found"),
        ("ftp://localhost/x", "is not an address"), ("http:///x", "is not an address"), ("x", "is not an address"),
        ("http://user:secret@localhost/x", "must not hold a user or password"),
        (web.redirect("/away", "file:///etc/passwd"), "is not an address"),
    ):  # fmt: skip
        (told,) = (await open_api.errors("POST", "/media", json={"url": url}))["url"]
        assert told.startswith(problem), (url, told)
    assert list(await open_api.errors("POST", "/media", json={"url": web.file("/empty", b"")})) == ["url"]
    for body, field in (({}, "url"), ({"url": 1}, "url"), ({"url": "x", "y": 1}, "y"), ([], "body")):
        assert field in await open_api.errors("POST", "/media", json=body)


async def test_private_addresses_are_refused_under_any_name_before_a_byte_is_sent(api: Api, web: Web) -> None:
    web.file("/secret", PNG)
    before = len(web.asked)
    for host in (
        "localhost", "127.0.0.1", "127.1", "2130706433", "0x7f.1", "0", "[::1]", "[::ffff:127.0.0.1]",
        "10.0.0.1", "192.168.0.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "[fd00::1]", "[fe80::1]",
        "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
    ):  # fmt: skip
        (told,) = (await api.errors("POST", "/media", json={"url": web.url("/secret", host)}))["url"]
        assert told == "leads to an address that is not public", host
    assert len(web.asked) == before


async def test_a_name_that_leads_elsewhere_the_second_time_leads_nowhere(
    api: Api, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was checked is what is connected to: the name is asked once. And any private one among many is too many."""
    asked = []

    def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(2, 1, 6, "", (address, port)) for address in ("93.184.216.34", "127.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    url = web.url("/secret", "rebinding.example")
    (told,) = (await api.errors("POST", "/media", json={"url": url}))["url"]
    assert (told, asked) == ("leads to an address that is not public", ["rebinding.example"])


def a_certificate(folder: Path) -> ssl.SSLContext:
    """A server's, that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "server.pem").write_bytes(pem + certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


async def test_the_certificate_must_be_the_names_though_the_connection_goes_to_an_address(
    open_api: Api, tmp_path: Path
) -> None:
    context, names = a_certificate(tmp_path), list[str | None]()
    context.sni_callback = lambda _socket, name, _context: names.append(name)

    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(close, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        (told,) = (await open_api.errors("POST", "/media", json={"url": f"https://localhost:{port}/x"}))["url"]
    assert told.startswith("can not be read")
    assert "CERTIFICATE_VERIFY_FAILED" in told
    assert names == ["localhost"]


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700:4700::1111", "::ffff:93.184.216.34"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address", ["224.0.0.1", "255.255.255.255", "240.0.0.1", "192.0.2.1", "ff02::1", "fe80::1%eth0", "::", "::7f00:1"]
)
def test_all_else_is_not(address: str) -> None:
    assert not is_public(address)
