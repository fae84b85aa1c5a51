"""The arguments and results of the file tools, with the descriptions that a model reads."""

from typing import Annotated

from msgspec import Meta, Struct

from shellwire.agents.arguments import ToolArguments

DEFAULT_LENGTH = 65_536
"""Default ``length`` of ``read_file``, in bytes."""

MAX_LENGTH = 1024 * 1024
"""Largest ``length`` of ``read_file``, in bytes."""

DEFAULT_MATCHES = 100
"""Default ``limit`` of ``search_files``."""

Path = Annotated[
    str,
    Meta(
        min_length=1,
        description="Absolute path, or relative to the saved directory; `~` is the home directory.",
    ),
]
Hash = Annotated[str, Meta(description="SHA-256 of the whole file, in hexadecimal.")]


class ReadFile(ToolArguments, frozen=True, kw_only=True):
    path: Path
    offset: Annotated[int, Meta(ge=0, description="Byte to start at; `next_offset` continues.")] = 0
    length: Annotated[int, Meta(ge=4, le=MAX_LENGTH, description="Most bytes to return.")] = (
        DEFAULT_LENGTH
    )


class WriteFile(ToolArguments, frozen=True, kw_only=True):
    path: Path
    content: Annotated[str, Meta(description="The whole new content.")]
    expected_hash: (
        Annotated[
            str,
            Meta(
                min_length=64,
                max_length=64,
                description="Write only if the file still has this SHA-256: the `hash` that"
                " read_file or the last write returned.",
            ),
        ]
        | None
    ) = None


class EditFile(ToolArguments, frozen=True, kw_only=True):
    path: Path
    old: Annotated[
        str,
        Meta(min_length=1, description="Exact text that occurs once in the file."),
    ]
    new: Annotated[str, Meta(description="The replacement.")]


class SearchFiles(ToolArguments, frozen=True, kw_only=True):
    query: Annotated[str, Meta(min_length=1, description="Text to find within a line.")]
    path: Path = "."
    regex: Annotated[bool, Meta(description="`query` is a Python regular expression.")] = False
    case_sensitive: Annotated[bool, Meta(description="Distinguish upper and lower case.")] = False
    include_hidden: Annotated[bool, Meta(description="Include names starting with a dot.")] = False
    limit: Annotated[int, Meta(ge=1, le=1000, description="Most matches.")] = DEFAULT_MATCHES


class FileContent(Struct, frozen=True, kw_only=True):
    path: Annotated[str, Meta(description="The absolute path.")]
    content: Annotated[
        str, Meta(description="The text; bytes that are not UTF-8 are shown as U+FFFD.")
    ]
    is_text: Annotated[bool, Meta(description="False: not UTF-8 text, so never write it back.")]
    size: Annotated[int, Meta(description="Size of the whole file in bytes.")]
    next_offset: Annotated[int, Meta(description="`offset` for the next read_file.")]
    eof: Annotated[bool, Meta(description="This is the end of the file.")]
    hash: Annotated[Hash | None, Meta(description="Null unless this is the whole file.")] = None


class FileWritten(Struct, frozen=True, kw_only=True):
    path: Annotated[str, Meta(description="The absolute path.")]
    size: Annotated[int, Meta(description="New size in bytes.")]
    hash: Hash


class FileMatch(Struct, frozen=True, kw_only=True):
    path: str
    line_number: int
    line: str


class FileMatches(Struct, frozen=True, kw_only=True):
    matches: list[FileMatch]
    truncated: Annotated[
        bool, Meta(description="There may be more: `limit` or 5 seconds was reached.")
    ]
