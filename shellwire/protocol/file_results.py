"""The results that ``fs_result`` carries: one record for each operation.

Paths are encoded as in ``file_names``.
"""

from typing import Annotated

from msgspec import Meta, Struct

from shellwire.protocol.fields import Count, Time

_Path = Annotated[str, Meta(description="Relative to the root; empty: the root.")]


class _Record(Struct, frozen=True, kw_only=True):
    """A part of a message."""


class Capabilities(_Record, frozen=True, kw_only=True):
    """What the daemon supports below a root; part of `RootInfo`."""

    atomic_write: bool
    hash: Annotated[str, Meta(description="The digest algorithm of every `hash`.")]
    chunked_read: bool
    server_search: bool
    server_glob: bool


class RootInfo(_Record, frozen=True, kw_only=True):
    """The result of `fs_root_info`."""

    root: Annotated[str, Meta(description="The root's absolute path, with symlinks resolved.")]
    display_name: Annotated[str, Meta(description="The last component of `root`.")]
    capabilities: Capabilities


class Entry(_Record, frozen=True, kw_only=True):
    """A file or a directory; the result of `fs_stat`, and part of others."""

    name: str
    relative_path: _Path
    path: Annotated[str, Meta(description="The same as `relative_path`.")]
    is_directory: bool
    is_symlink: bool
    size: Annotated[Count, Meta(description="Bytes; 0 for a directory.")]
    last_modified: Annotated[int, Meta(description="Milliseconds since the epoch.")]
    mode: Annotated[int, Meta(description="The permissions, as chmod(2) takes them.")]
    mtime: Time
    target: Annotated[str | None, Meta(description="The target of a symlink, else null.")]
    ctime: Annotated[
        float, Meta(description="Last change of content or metadata, in seconds since the epoch.")
    ]
    inode: Annotated[int, Meta(description="The inode number.")]
    device: Annotated[int, Meta(description="The number of the device.")]


class Listing(_Record, frozen=True, kw_only=True):
    """The result of `fs_list`."""

    path: _Path
    entries: Annotated[list[Entry], Meta(description="Directories first, then by name.")]
    truncated: Annotated[bool, Meta(description="Whether there are more.")]


class Content(_Record, frozen=True, kw_only=True):
    """The result of `fs_read`."""

    path: _Path
    offset: Count
    length_read: Count
    next_offset: Annotated[Count, Meta(description="The `offset` for the next read.")]
    eof: Annotated[bool, Meta(description="Whether the range reaches the end of the file.")]
    content_base64: str
    size: Annotated[Count, Meta(description="Size of the whole file in bytes.")]
    mtime: Annotated[int, Meta(description="Milliseconds since the epoch.")]
    hash: Annotated[str, Meta(description="SHA-256 of the whole file with `eof`, else empty.")]
    is_binary: Annotated[bool, Meta(description="Whether the first 8192 bytes contain a NUL.")]


class Written(_Record, frozen=True, kw_only=True):
    """The result of `fs_write` and `fs_write_finish`."""

    entry: Entry
    hash: Annotated[str, Meta(description="SHA-256 of the new content.")]


class UploadStarted(_Record, frozen=True, kw_only=True):
    """The result of `fs_write_start`."""

    upload_id: str
    bytes_written: Count


class UploadProgress(_Record, frozen=True, kw_only=True):
    """The result of `fs_write_chunk`."""

    bytes_written: Annotated[Count, Meta(description="Bytes in the upload so far.")]


class Changed(_Record, frozen=True, kw_only=True):
    """The result of `fs_mkdir` and `fs_rename`."""

    entry: Entry


class Deleted(_Record, frozen=True, kw_only=True):
    """The result of `fs_delete`."""

    deleted: Annotated[bool, Meta(description="False if nothing existed at the path.")]


class GlobMatches(_Record, frozen=True, kw_only=True):
    """The result of `fs_glob`."""

    matches: list[Entry]
    truncated: Annotated[bool, Meta(description="Whether there may be more.")]


class SearchMatch(_Record, frozen=True, kw_only=True):
    """A matching line of a file; part of `SearchResults`."""

    path: _Path
    name: str
    line_number: Annotated[int, Meta(ge=1)]
    line_content: str
    match_start: Annotated[Count, Meta(description="In characters of `line_content`.")]
    match_end: Annotated[Count, Meta(description="In characters of `line_content`.")]


class SearchResults(_Record, frozen=True, kw_only=True):
    """The result of `fs_search`."""

    results: list[SearchMatch]
    truncated: Annotated[bool, Meta(description="Whether there may be more.")]


FileResult = (
    RootInfo
    | Entry
    | Listing
    | Content
    | Written
    | UploadStarted
    | UploadProgress
    | Changed
    | Deleted
    | GlobMatches
    | SearchResults
)
"""Every result that an ``fs_result`` may carry."""


RESULTS: dict[str, type[Struct]] = {
    "fs_root_info": RootInfo,
    "fs_stat": Entry,
    "fs_list": Listing,
    "fs_read": Content,
    "fs_write": Written,
    "fs_write_start": UploadStarted,
    "fs_write_chunk": UploadProgress,
    "fs_write_finish": Written,
    "fs_mkdir": Changed,
    "fs_rename": Changed,
    "fs_delete": Deleted,
    "fs_glob": GlobMatches,
    "fs_search": SearchResults,
}
"""The type of ``result`` by the request's type."""
