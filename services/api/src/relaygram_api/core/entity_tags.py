"""Entity tags (RFC 9110): `"<version>-<digest of the answer>"`, and what `If-Match` and `If-None-Match` ask of them.

The whole tag stands for the answer byte for byte: it is strong, and `If-None-Match` compares all of it. Its first part
is the version, which grows with every change that somebody makes (fields, status, contacts) and not with counters:
`If-Match` asks whether there is such a change that would be overwritten, so it compares that part alone.
"""

import re
from dataclasses import dataclass
from hashlib import blake2b

_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_VERSION = re.compile(r"([1-9][0-9]{0,18})-[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class EntityTag:
    """One tag of a header."""

    is_weak: bool
    opaque: str


def entity_tag(version: int, content: bytes) -> str:
    """The tag of an answer."""
    return f'"{version}-{blake2b(content, digest_size=8).hexdigest()}"'


def parse_tags(header: str) -> list[EntityTag] | None:
    """The tags of `If-Match` or `If-None-Match`; None for `*`. Raises ValueError."""
    if header.strip() == "*":
        return None
    tags, place = list[EntityTag](), 0
    while place < len(header):
        if header[place] in " \t,":
            place += 1
            continue
        found = _TAG.match(header, place)
        if found is None or (found.end() < len(header) and header[found.end()] not in " \t,"):
            raise ValueError('should be * or entity tags as an ETag gave them, such as "12-0123456789abcdef"')
        tags.append(EntityTag(found[1] is not None, found[2]))
        place = found.end()
    if not tags:
        raise ValueError("should be * or entity tags as an ETag gave them, but is empty")
    return tags


def is_version(tags: list[EntityTag] | None, version: int) -> bool:
    """For `If-Match`: whether one of the tags is of this version; a weak one never is."""
    if tags is None:
        return True
    return any(
        not tag.is_weak and (found := _VERSION.fullmatch(tag.opaque)) is not None and int(found[1]) == version
        for tag in tags
    )


def is_same_answer(tags: list[EntityTag] | None, tag: str) -> bool:
    """For `If-None-Match`: whether one of the tags is exactly this one, weak or not."""
    return tags is None or any(f'"{one.opaque}"' == tag for one in tags)
