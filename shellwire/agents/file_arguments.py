"""What the tools about files take, and what they give back."""

from typing import Annotated

from msgspec import Meta, Struct

from shellwire.agents.arguments import ToolArguments

DEFAULT_LENGTH = 65_536
"""Bytes of a file that ``read_file`` gives unless asked for more."""

MAX_LENGTH = 1024 * 1024
"""Bytes that it gives at most."""

DEFAULT_MATCHES = 100
"""Matches that ``search_files`` gives unless asked for more."""

Path = Annotated[
    str,
    Meta(
        min_length=1,
        description="The file: absolute, or from the directory where the last command ended; `~`"
        " is the home directory.",
    ),
]
Hash = Annotated[str, Meta(description="SHA-256 of the whole file, in hexadecimal.")]


class ReadFile(ToolArguments, frozen=True, kw_only=True):
    path: Path
    offset: Annotated[int, Meta(ge=0, description="Byte to begin at; `next_offset` goes on.")] = 0
    length: Annotated[int, Meta(ge=4, le=MAX_LENGTH, description="Bytes at most.")] = DEFAULT_LENGTH


class WriteFile(ToolArguments, frozen=True, kw_only=True):
    path: Path
    content: Annotated[str, Meta(description="All that the file is to hold.")]
    expected_hash: (
        Annotated[
            str,
            Meta(
                min_length=64,
                max_length=64,
                description="Write only if the file still has this SHA-256, the `hash` of read_file"
                " or of the last write.",
            ),
        ]
        | None
    ) = None


class EditFile(ToolArguments, frozen=True, kw_only=True):
    path: Path
    old: Annotated[
        str,
        Meta(min_length=1, description="Text that stands in the file exactly once, to the letter."),
    ]
    new: Annotated[str, Meta(description="What is to stand there instead.")]


class SearchFiles(ToolArguments, frozen=True, kw_only=True):
    query: Annotated[str, Meta(min_length=1, description="What is searched for in each line.")]
    path: Path = "."
    regex: Annotated[bool, Meta(description="`query` is a regular expression of Python's.")] = False
    case_sensitive: Annotated[bool, Meta(description="Tell upper from lower case.")] = False
    include_hidden: Annotated[bool, Meta(description="Names that begin with a dot too.")] = False
    limit: Annotated[int, Meta(ge=1, le=1000, description="Matches at most.")] = DEFAULT_MATCHES


class FileContent(Struct, frozen=True, kw_only=True):
    path: Annotated[str, Meta(description="The absolute path.")]
    content: Annotated[
        str, Meta(description="What stands there; bytes that are no UTF-8 are shown as U+FFFD.")
    ]
    is_text: Annotated[bool, Meta(description="False: it is not UTF-8, so never write it back.")]
    size: Annotated[int, Meta(description="Bytes of the whole file.")]
    next_offset: Annotated[int, Meta(description="Where the next read_file should begin.")]
    eof: Annotated[bool, Meta(description="The file ends here.")]
    hash: Annotated[Hash | None, Meta(description="Null if this is not the whole file.")] = None


class FileWritten(Struct, frozen=True, kw_only=True):
    path: Annotated[str, Meta(description="The absolute path.")]
    size: Annotated[int, Meta(description="Bytes that it holds now.")]
    hash: Hash


class FileMatch(Struct, frozen=True, kw_only=True):
    path: str
    line_number: int
    line: str


class FileMatches(Struct, frozen=True, kw_only=True):
    matches: list[FileMatch]
    truncated: Annotated[bool, Meta(description="There may be more: the limit, or 5 s, was up.")]
