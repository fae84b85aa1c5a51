"""What a client says of files: one struct for each ``fs_*`` message.

Paths are written as ``names`` says.
"""

from typing import Annotated

from msgspec import Meta, Struct

from shellwire.protocol.fields import Id, RequestId
from shellwire.protocol.tags import snake_case

DEFAULT_READ = 256 * 1024
"""Bytes that ``fs_read`` gives if its client does not say."""

DEFAULT_GLOB = 2000
"""Matches that ``fs_glob`` gives if its client does not say."""

DEFAULT_SEARCH = 100
"""Matches that ``fs_search`` gives if its client does not say."""

RootPath = Annotated[
    str, Meta(description="A directory, as an absolute path; nothing outside of it is reached.")
]
Path = Annotated[str, Meta(description="A path from the root, without `..`.")]
PathOrRoot = Annotated[
    str, Meta(description="A path from the root, without `..`; empty: the root itself.")
]
Hidden = Annotated[bool, Meta(description="Take names that begin with a dot too.")]
ExpectedHash = Annotated[
    str | None,
    Meta(description="SHA-256 that the file has if nobody else has changed it; else `CONFLICT`."),
]
CreateParents = Annotated[bool, Meta(description="Make directories that are missing on the way.")]
ContentBase64 = Annotated[str, Meta(description="Bytes, in base64.")]
UploadId = Annotated[str, Meta(description="Of `fs_write_start`'s answer.")]


class _FileRequest(
    Struct, tag_field="type", tag=snake_case, omit_defaults=True, frozen=True, kw_only=True
):
    request_id: RequestId | None = None
    id: Annotated[Id, Meta(description="Chosen by the client; returns in the answer.")]


class _RootRequest(_FileRequest, frozen=True, kw_only=True):
    root: RootPath


class FsRootInfo(_RootRequest, frozen=True, kw_only=True):
    """Asks whether a root is a directory, and what can be done there; `fs_result`."""


class FsStat(_RootRequest, frozen=True, kw_only=True):
    """Asks what is at a path; `fs_result`."""

    path: PathOrRoot = ""


class FsList(_RootRequest, frozen=True, kw_only=True):
    """Asks what is in a directory; `fs_result`."""

    path: PathOrRoot = ""
    include_hidden: Hidden = False


class FsRead(_RootRequest, frozen=True, kw_only=True):
    """Reads a piece of a file; `fs_result`."""

    path: Path
    offset: Annotated[int, Meta(description="Where the piece begins, in bytes.")] = 0
    length: Annotated[
        int, Meta(description="Bytes at most; more than 786432 is taken for that.")
    ] = DEFAULT_READ
    hash: Annotated[
        bool, Meta(description="Tell the hash of the whole file with `eof`, whatever that takes.")
    ] = True


class FsWrite(_RootRequest, frozen=True, kw_only=True):
    """Gives a file a new content, in one step; `fs_result`."""

    path: Path
    content_base64: ContentBase64
    expected_hash: ExpectedHash = None
    create_parents: CreateParents = True


class FsWriteStart(_RootRequest, frozen=True, kw_only=True):
    """Begins to give a file a new content in pieces; `fs_result`."""

    path: Path
    expected_hash: ExpectedHash = None
    create_parents: CreateParents = True


class FsWriteChunk(_FileRequest, frozen=True, kw_only=True):
    """Adds a piece; `fs_result`."""

    upload_id: UploadId
    content_base64: ContentBase64


class FsWriteFinish(_FileRequest, frozen=True, kw_only=True):
    """Puts what was written in pieces in its place, in one step; `fs_result`."""

    upload_id: UploadId


class FsMkdir(_RootRequest, frozen=True, kw_only=True):
    """Makes a directory, and those missing on the way; `fs_result`."""

    path: Path


class FsDelete(_RootRequest, frozen=True, kw_only=True):
    """Removes what is at a path; `fs_result`."""

    path: Path
    recursive: Annotated[bool, Meta(description="A directory with all that is in it.")] = False


class FsRename(_RootRequest, frozen=True, kw_only=True):
    """Gives what is at a path another path, replacing what is there; `fs_result`."""

    path: Path
    new_path: Path


class FsGlob(_RootRequest, frozen=True, kw_only=True):
    """Asks for what matches a pattern; `fs_result`."""

    pattern: Annotated[str, Meta(description="With `*`, `?`, `[...]` and `**`.")] = "**/*"
    include_hidden: Hidden = False
    limit: Annotated[int, Meta(description="Matches at most, 1 to 10000.")] = DEFAULT_GLOB


class FsSearch(_RootRequest, frozen=True, kw_only=True):
    """Searches lines of files; `fs_result`."""

    query: Annotated[str, Meta(description="What is searched for.")]
    path: PathOrRoot = ""
    regex: Annotated[bool, Meta(description="`query` is a regular expression of Python's.")] = False
    case_sensitive: bool = False
    include_hidden: Hidden = False
    limit: Annotated[int, Meta(description="Matches at most, 1 to 1000.")] = DEFAULT_SEARCH


FileMessage = (
    FsRootInfo
    | FsStat
    | FsList
    | FsRead
    | FsWrite
    | FsWriteStart
    | FsWriteChunk
    | FsWriteFinish
    | FsMkdir
    | FsDelete
    | FsRename
    | FsGlob
    | FsSearch
)
"""What a client may say of files."""
