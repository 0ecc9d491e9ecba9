"""Where a growing Markdown text can be cut: what stands before will not change any more."""


def settled(text: str) -> int:
    """Give how many characters from the start make whole blocks, so that they can be shown for good.

    A block ends at an empty line outside a code fence; within a list or a quote only where the next line begins another
    block, because numbering and indentation go on across empty lines.
    """
    fence = ""
    end = position = 0
    blank = False
    lines = text.splitlines(keepends=True)
    for line in lines:
        bare = line.strip()
        if blank and not fence and bare and _decided(line) and not _goes_on(line):
            end = position
        if fence:
            fence = "" if bare.startswith(fence) and not bare.strip(fence[0]) else fence
        elif bare.startswith(("```", "~~~")):
            fence = bare[: len(bare) - len(bare.lstrip(bare[0]))]
        blank = not bare and not fence
        position += len(line)
    return end


def _decided(line: str) -> bool:
    """Tell whether what a line begins is known though it may still grow: `1` may become `1. item`."""
    return line.endswith("\n") or line[0].isalpha()


def _goes_on(line: str) -> bool:
    """Tell whether a line after an empty one may belong to the list or quote before it."""
    if line[0] in " \t>":
        return True
    first = line.split(maxsplit=1)[0]
    return first in {"-", "*", "+"} or (first[:-1].isdecimal() and first[-1] in ".)")
