"""The client's messages about files: one struct for each ``fs_*`` message.

Paths are encoded as in ``file_names``.
"""

from typing import Annotated

from msgspec import Meta, Struct

from shellwire.protocol.fields import Id, RequestId
from shellwire.protocol.tags import snake_case

DEFAULT_READ = 256 * 1024
"""The default ``length`` of ``fs_read``, in bytes."""

DEFAULT_GLOB = 2000
"""The default ``limit`` of ``fs_glob``."""

DEFAULT_SEARCH = 100
"""The default ``limit`` of ``fs_search``."""

RootPath = Annotated[
    str, Meta(description="The absolute path of a directory; no operation leaves it.")
]
Path = Annotated[str, Meta(description="A path relative to `root`, without `..`.")]
PathOrRoot = Annotated[
    str, Meta(description="A path relative to `root`, without `..`; empty: the root.")
]
Hidden = Annotated[bool, Meta(description="Include names that begin with a dot.")]
ExpectedHash = Annotated[
    str | None,
    Meta(description="The SHA-256 that the file must have now; otherwise `CONFLICT`."),
]
CreateParents = Annotated[bool, Meta(description="Create missing parent directories.")]
ContentBase64 = Annotated[str, Meta(description="The bytes, in base64.")]
UploadId = Annotated[str, Meta(description="From the answer to `fs_write_start`.")]


class _FileRequest(
    Struct, tag_field="type", tag=snake_case, omit_defaults=True, frozen=True, kw_only=True
):
    request_id: RequestId | None = None
    id: Annotated[Id, Meta(description="Chosen by the client; returned in the answer.")]


class _RootRequest(_FileRequest, frozen=True, kw_only=True):
    root: RootPath


class FsRootInfo(_RootRequest, frozen=True, kw_only=True):
    """Checks that a root is a directory, and returns its capabilities; `fs_result`."""


class FsStat(_RootRequest, frozen=True, kw_only=True):
    """Returns the metadata of a file or directory; `fs_result`."""

    path: PathOrRoot = ""


class FsList(_RootRequest, frozen=True, kw_only=True):
    """Lists a directory; `fs_result`."""

    path: PathOrRoot = ""
    include_hidden: Hidden = False


class FsRead(_RootRequest, frozen=True, kw_only=True):
    """Reads a range of a file; `fs_result`."""

    path: Path
    offset: Annotated[int, Meta(description="Where the range begins, in bytes.")] = 0
    length: Annotated[int, Meta(description="The most bytes to return; capped at 786432.")] = (
        DEFAULT_READ
    )
    hash: Annotated[
        bool, Meta(description="With `eof`: return the whole file's hash, computing it if need be.")
    ] = True


class FsWrite(_RootRequest, frozen=True, kw_only=True):
    """Replaces a file's content atomically; `fs_result`."""

    path: Path
    content_base64: ContentBase64
    expected_hash: ExpectedHash = None
    create_parents: CreateParents = True


class FsWriteStart(_RootRequest, frozen=True, kw_only=True):
    """Begins an upload that replaces a file's content; `fs_result`."""

    path: Path
    expected_hash: ExpectedHash = None
    create_parents: CreateParents = True


class FsWriteChunk(_FileRequest, frozen=True, kw_only=True):
    """Appends to an upload; `fs_result`."""

    upload_id: UploadId
    content_base64: ContentBase64


class FsWriteFinish(_FileRequest, frozen=True, kw_only=True):
    """Finishes an upload: replaces the file atomically; `fs_result`."""

    upload_id: UploadId


class FsMkdir(_RootRequest, frozen=True, kw_only=True):
    """Creates a directory and its missing parents; `fs_result`."""

    path: Path


class FsDelete(_RootRequest, frozen=True, kw_only=True):
    """Deletes a file or directory; `fs_result`."""

    path: Path
    recursive: Annotated[bool, Meta(description="Delete a directory with its contents.")] = False


class FsRename(_RootRequest, frozen=True, kw_only=True):
    """Renames a file or directory, replacing an existing target; `fs_result`."""

    path: Path
    new_path: Path


class FsGlob(_RootRequest, frozen=True, kw_only=True):
    """Lists the files and directories that match a pattern; `fs_result`."""

    pattern: Annotated[str, Meta(description="With `*`, `?`, `[...]` and `**`.")] = "**/*"
    include_hidden: Hidden = False
    limit: Annotated[int, Meta(description="The most matches, 1 to 10000.")] = DEFAULT_GLOB


class FsSearch(_RootRequest, frozen=True, kw_only=True):
    """Searches the lines of files; `fs_result`."""

    query: Annotated[str, Meta(description="The text or pattern to search for.")]
    path: PathOrRoot = ""
    regex: Annotated[bool, Meta(description="`query` is a Python regular expression.")] = False
    case_sensitive: bool = False
    include_hidden: Hidden = False
    limit: Annotated[int, Meta(description="The most matches, 1 to 1000.")] = DEFAULT_SEARCH


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
"""Every message about files."""
