"""The pages' own blocks: what stands there indented by four spaces.

    pages.py PAGE HEADING BLOCK[.COMMAND[-COMMAND]] [WHAT=WITH...]

prints a block of PAGE, the first under HEADING is 1, or those of its commands only, the first is 1; with each WHAT replaced
by WITH. What is not there is an error, and so is a WHAT that does not occur.
"""

import os
import re
import sys
import textwrap

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Missing(Exception):
    """The page has not got what was asked for."""


def blocks(page):
    """The blocks under each heading: {heading: [lines, ...]}, in their order."""
    found, heading, block, before = {}, "", None, ""
    with open(os.path.join(ROOT, page), encoding="utf-8") as file:
        for line in file.read().splitlines():
            if re.match(r"#+ ", line):
                heading, block = line.lstrip("#").strip(), None
                if heading in found:
                    raise Missing(f"{page} has two headings '{heading}'")
                found[heading] = []
            elif line.startswith("    ") and (block is not None or not before.strip()):
                if block is None:
                    block = []
                    found[heading].append(block)
                block.append(line)
            elif not line.strip():
                if block is not None:
                    block.append("")
            else:
                block = None
            before = line
    for under in found.values():
        under[:] = [textwrap.dedent("\n".join(block)).strip("\n").split("\n") for block in under]
    return found


def commands(block):
    """A block's commands, each with the lines that belong to it: continuations, here-documents. Comments are none."""
    found, rest = [], list(block)
    while rest:
        command = [rest.pop(0)]
        if not command[0].strip() or command[0].startswith("#"):
            continue
        while command[-1].endswith("\\"):
            command.append(rest.pop(0))
        here = re.search(r"<<(\w+)", command[0])
        while here and command[-1] != here[1]:
            command.append(rest.pop(0))
        found.append("\n".join(command))
    return found


def text(page, heading, reference, replacements=()):
    """What a reference stands for."""
    number, first, last = re.fullmatch(r"(\d+)(?:\.(\d+)(?:-(\d+))?)?", reference).groups()
    under = blocks(page).get(heading)
    if under is None:
        raise Missing(f"{page} has no heading '{heading}'")
    if not 0 < int(number) <= len(under):
        raise Missing(f"{page} has {len(under)} blocks under '{heading}', and no block {number}")
    result = "\n".join(under[int(number) - 1])
    if first:
        of_block, last = commands(under[int(number) - 1]), int(last or first)
        if not 0 < int(first) <= last <= len(of_block):
            raise Missing(f"{page}, '{heading}', block {number}: {len(of_block)} commands, not {reference}")
        result = "\n".join(of_block[int(first) - 1 : last])
    for replacement in replacements:
        what, _, other = replacement.partition("=")
        if what not in result:
            raise Missing(f"{page}, '{heading}', {reference}: there is no '{what}' to replace")
        result = result.replace(what, other)
    return result


if __name__ == "__main__":
    try:
        print(text(*sys.argv[1:4], sys.argv[4:]))
    except Missing as missing:
        sys.exit(f"pages.py: {missing}")
