"""Import cycles: which files refer to each other in a circle."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping


def reaching(targets: Collection[str], graph: Mapping[str, Collection[str]]) -> set[str]:
    """All files that refer to one of ``targets``, directly or not, and the targets themselves.

    ``graph`` maps each file to those that it refers to.
    """
    referrers: dict[str, list[str]] = {}
    for name, references in graph.items():
        for reference in references:
            referrers.setdefault(reference, []).append(name)
    found = set(targets)
    waiting = list(targets)
    while waiting:
        for name in referrers.get(waiting.pop(), ()):
            if name not in found:
                found.add(name)
                waiting.append(name)
    return found


def cycles(names: Collection[str], graph: Mapping[str, Collection[str]]) -> list[list[str]]:
    """The groups of ``names`` that reach each other (Tarjan's strongly connected components),
    leaving out single files that do not refer to themselves. Sorted."""
    search = _Search(set(names), graph)
    for name in sorted(names):
        if name not in search.order:
            search.run(name)
    return sorted(
        sorted(group) for group in search.groups if len(group) > 1 or group[0] in graph[group[0]]
    )


class _Search:
    """Depth first, with a stack of its own: chains may be thousands of files long."""

    def __init__(self, names: set[str], graph: Mapping[str, Collection[str]]) -> None:
        self._names = names
        self._graph = graph
        self.order: dict[str, int] = {}
        self._low: dict[str, int] = {}
        self._open: dict[str, None] = {}
        self.groups: list[list[str]] = []

    def run(self, start: str) -> None:
        path = [(start, self._enter(start))]
        while path:
            name, references = path[-1]
            reference = next(references, None)
            if reference is None:
                path.pop()
                self._leave(name)
                if path:
                    self._lower(path[-1][0], self._low[name])
            elif reference not in self.order:
                path.append((reference, self._enter(reference)))
            elif reference in self._open:
                self._lower(name, self.order[reference])

    def _enter(self, name: str) -> Iterator[str]:
        self.order[name] = self._low[name] = len(self.order)
        self._open[name] = None
        return iter([other for other in self._graph.get(name, ()) if other in self._names])

    def _lower(self, name: str, to: int) -> None:
        self._low[name] = min(self._low[name], to)

    def _leave(self, name: str) -> None:
        if self._low[name] != self.order[name]:
            return
        group = []
        while name in self._open:
            member, _ = self._open.popitem()
            group.append(member)
        self.groups.append(group)
