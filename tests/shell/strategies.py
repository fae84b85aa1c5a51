"""Random values and names for shells, and commands that define them."""

from __future__ import annotations

import os

from hypothesis import settings
from hypothesis import strategies as st

from shellwire.shell.quoting import quote

with_shells = settings(max_examples=int(os.environ.get("SHELL_EXAMPLES", "40")), deadline=None)
"""Examples per test: few, for each starts a shell or two; SHELL_EXAMPLES sets another number."""

# Mostly bytes with a meaning to a shell, sometimes any other byte except NUL.
_TELLING = b"'\"\\$`!*?[]{}()<>|&;#~=%@+-^:,./ \t\n\r\x01\x1b\x7f\x80\xc3\xa9\xff0123abcN"
_byte = st.sampled_from(list(_TELLING)) | st.integers(1, 255)
values = st.lists(_byte, max_size=24).map(bytes) | st.binary(max_size=24).map(
    lambda data: data.replace(b"\0", b"")
)
"""The value of a variable, any bytes but NUL."""

names = st.from_regex(r"\A[A-Za-z][A-Za-z0-9_]{0,5}\Z").map(lambda name: b"v" + name.encode())
"""Names of variables without a meaning to a shell."""


@st.composite
def declarations(draw: st.DrawFn) -> bytes:
    """Return a ``declare`` of one variable of any kind."""
    name = draw(names)
    flags = draw(
        st.sampled_from([b"", b"x", b"l", b"u", b"xl", b"i", b"ix", b"n", b"a", b"A", b"ai"])
    )
    if flags and draw(st.integers(0, 3)) == 0:
        return b"declare -%s %s" % (flags, name)
    if flags == b"n":
        return b"declare -n %s=%s" % (name, draw(names))
    if b"a" in flags or b"A" in flags:
        keys = st.integers(0, 9).map(lambda key: b"%d" % key)
        if b"A" in flags:
            keys = values.filter(bool).map(quote)
        items = (
            st.integers(-99, 99).map(lambda n: b"%d" % n) if b"i" in flags else values.map(quote)
        )
        filled = draw(st.dictionaries(keys, items, max_size=4))
        text = b" ".join(b"[%s]=%s" % pair for pair in filled.items())
        return b"declare -%s %s=(%s)" % (flags, name, text)
    value = b"%d" % draw(st.integers(-(2**63), 2**63 - 1)) if b"i" in flags else draw(values)
    return b"declare -%s %s=%s" % (flags or b"-", name, quote(value))


_FUNCTION_NAMES = [
    b"f", b"foo-bar", b"a:b", b"a.b", b"a/b", b"@x", b"a+b", b"a,b", b"a=b", b"!", b"if", b"time",
    b"cd", b"export", b"declare", b"printf", b"exit", b"exec", b"trap", b"eval", b"set", b"pwd",
    b"alias", b"unset", b"local", b"shopt", b"in", b"[[", b"-x", b"12", b"\xc3\xa9",
]  # fmt: skip

_LINES = st.sampled_from(
    [b"text", b"$x", b"'", b'"', b"`", b"}", b"{", b"f () ", b"() ", b"\\", b"\t", b"\xff", b"#"]
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Return a function's body that is hard to print correctly."""
    word = quote(draw(values))
    document = b"\n".join(draw(st.lists(_LINES, max_size=4)))
    return draw(
        st.sampled_from(
            [
                b"echo " + word,
                b"cat <<'E_O_D'\n%s\nE_O_D" % document,
                b"cat <<-E_O_D | tr a b && echo c\n\t%s\n\tE_O_D" % document.replace(b"`", b""),
                b"x=$(cat <<'E_O_D'\n%s\nE_O_D\n)" % document,
                b"case $1 in @(a|b)*) echo %s;; +([0-9])) ;& !(x)) ;;& esac" % word,
                b"if [[ $1 == @(a|b) && $2 =~ ^x(y|z)$ ]]; then return 3; fi",
                b"for ((i=0; i<3; i++)); do echo $((i ** 2)); done; select x in a; do :; done",
                b'local -a a=(%s b); a+=([3]=c); echo "${a[@]//x/%s}"' % (word, b"y"),
                b"( cd /; ls ) >/dev/null 2>&1 & wait; coproc C { cat; }",
                b"inner() { echo %s; }; inner; unset -f inner" % word,
                b"until ! false; do :; done; while read -r x; do :; done < <(echo %s)" % word,
                b"echo $'\\x01\\n' $\"translated\" ${x:-%s} ~ {a,b}{1..3}" % word,
                b"cat <<< %s; time -p true; [ a = b ] || ! true |& cat" % word,
            ]
        )
    )


@st.composite
def functions(draw: st.DrawFn) -> bytes:
    """Return the definition of a function, which may be exported."""
    name, body = draw(st.sampled_from(_FUNCTION_NAMES)), draw(bodies())
    end = draw(st.sampled_from([b"", b" >/dev/null", b" 2>&1 <<< a"]))
    text = b"function %s {\n%s\n}%s\n" % (name, body, end)
    if draw(st.booleans()):
        text += b"\\builtin declare -fx -- %s\n" % quote(name)
    return text


_alias_names = st.sampled_from([b"ll", b"g", b"..", b"a-b", b"-x", b"if", b"in", b"do", b"exit"])
aliases = st.builds(
    lambda name, text: b"\\builtin alias -- %s=%s" % (name, quote(text)), _alias_names, values
)
"""Definitions of aliases."""
