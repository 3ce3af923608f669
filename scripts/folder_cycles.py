"""Prints the folders of a target that use each other's types, directly or by way of others, with the files that do.

A type belongs to the folder of its declaration; a file uses those whose names stand in it outside comments and strings.
Extensions belong to nobody: where one file adds to a type of another folder, that is a use. The files beside a target's
folders are a folder of their own.
"""

import pathlib
import re
import sys
from collections import defaultdict

DECLARATION = re.compile(
    r"^(?:(?:package|public|private|fileprivate|final|indirect|nonisolated|@\w+(?:\([^)]*\))?)\s+)*"
    r"(?:struct|enum|class|actor|protocol|typealias)\s+(\w+)",
    re.MULTILINE,
)
PRIVATE = re.compile(r"\b(?:private|fileprivate)\b")
NOT_CODE = re.compile(r'"""(?:.|\n)*?"""|"(?:\\.|[^"\\\n])*"|//[^\n]*')
WORD = re.compile(r"\b[A-Z]\w+")


def main():
    status = 0
    for target in sorted(pathlib.Path("Sources").iterdir()):
        if target.is_dir() and not (target / "module.modulemap").exists():
            for line in cycles(target):
                print(line)
                status = 1
    sys.exit(status)


def cycles(target):
    texts = {path: NOT_CODE.sub(" ", path.read_text()) for path in sorted(target.rglob("*.swift"))}
    folder = {path: path.relative_to(target).parts[0] if path.parent != target else "." for path in texts}
    homes = {}
    for path, text in texts.items():
        for match in DECLARATION.finditer(text):
            if not PRIVATE.search(match[0]):
                homes[match[1]] = path
    uses = defaultdict(list)
    for path, text in texts.items():
        for word in set(WORD.findall(text)):
            home = homes.get(word)
            if home and folder[home] != folder[path]:
                uses[folder[path], folder[home]].append(f"{path.name} uses {word}")
    for group in components(set(folder.values()) - {"."}, {pair for pair in uses if "." not in pair}):
        yield f"{target}: {', '.join(sorted(group))} use each other"
        for (source, home), found in sorted(uses.items()):
            if source in group and home in group:
                yield f"    {source} -> {home}: {'; '.join(sorted(found))}"


def components(nodes, edges):
    """The sets of more than one node that lead to each other."""
    onward = {node: {home for source, home in edges if source == node} for node in nodes}

    def reached(start):
        seen, open_nodes = set(), [start]
        while open_nodes:
            for following in onward[open_nodes.pop()] - seen:
                seen.add(following)
                open_nodes.append(following)
        return seen

    reach = {node: reached(node) for node in nodes}
    groups = {frozenset(other for other in reach[node] if node in reach[other]) for node in nodes}
    return [group for group in groups if len(group) > 1]


main()
