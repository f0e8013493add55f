"""Which names of TensorRT's Python API a source file uses in a given release; dead branches of guards left out.

Followed are: `load_library()`; parameters, fields and results annotated `trt.X` or with a class of the sources (also
inside Optional, Tuple, List, Iterator); those annotated Any and named as in NAMES; constructors, enumerations and what
TensorRT's methods return. A class derived from one of TensorRT's must override what that one calls.
Guards: hasattr(object, "name") and release() compared with a tuple, under not, and, or; also when they end the block.
Not followed: getattr, containers filled bit by bit, arguments.
"""

from __future__ import annotations

import ast
import operator
from collections import Counter
from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional, Sequence, Set, Tuple

from tests.trt_surface import MODULE, OTHER, VERSIONS, Kind, Surface, load_surface

NAMES: Dict[str, Kind] = {
    "trt": MODULE,
    "module": MODULE,
    "engine": ("object", "ICudaEngine"),
    "context": ("object", "IExecutionContext"),
    "runtime": ("object", "Runtime"),
}
# Called by TensorRT, and there is a default.
_OPTIONAL = {"__init__", "get_algorithm"}
_COMPARE = {ast.GtE: operator.ge, ast.Gt: operator.gt, ast.LtE: operator.le, ast.Lt: operator.lt}
Problem = Tuple[str, int, str]


def check_sources(sources: Dict[str, str], version: str) -> Tuple[List[Problem], "Counter[str]"]:
    """(file, line, name) of everything the release lacks, and how often each of its names is used.

    sources: text by file name; what one declares, the others know.
    """
    trees = {name: ast.parse(text, name) for name, text in sources.items()}
    known = _Declared(trees.values())
    problems: List[Problem] = []
    uses: Counter[str] = Counter()
    for name, tree in trees.items():
        checker = _Checker(load_surface(version), known)
        checker.block(tree.body)
        problems += [(name, line, label) for line, label in sorted(checker.missing)]
        uses.update(checker.uses)
    return problems, uses


def read_sources(folder: Path) -> Dict[str, str]:
    """The Python files of a package."""
    return {path.name: path.read_text("utf-8") for path in sorted(folder.glob("*.py"))}


def _vague(annotation: Optional[ast.AST]) -> bool:
    return annotation is None or "Any" in {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)}


class _Declared:
    """What the sources say about their own functions' results and their objects' fields."""

    def __init__(self, trees: Iterable[ast.AST]) -> None:
        nodes = [node for tree in trees for node in ast.walk(tree)]
        self.classes = {node.name for node in nodes if isinstance(node, ast.ClassDef)}
        self.results: Dict[str, Any] = {"load_library": MODULE}
        self.fields: Dict[Tuple[str, str], Any] = {}
        for node in nodes:
            if isinstance(node, ast.FunctionDef):
                found = self.annotated(node.returns)
                if found is not None:
                    self.results[node.name] = found
            elif isinstance(node, ast.ClassDef):
                for item in node.body:
                    if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                        self.fields[node.name, item.target.id] = self.declared(item.target.id, item.annotation)

    def declared(self, name: str, annotation: Optional[ast.AST]) -> Any:
        """What a parameter or field is: by its annotation or, where that is Any, by its name."""
        found = self.annotated(annotation)
        if found is not None:
            return found
        return NAMES.get(name, OTHER) if _vague(annotation) else OTHER

    def annotated(self, annotation: Optional[ast.AST]) -> Optional[Any]:
        """A kind, a list of kinds for Tuple[...], or None if the annotation says nothing that matters."""
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
            return self.annotated(ast.parse(annotation.value, mode="eval").body)
        if isinstance(annotation, ast.Name) and annotation.id in self.classes:
            return "own", annotation.id
        if isinstance(annotation, ast.Attribute) and getattr(annotation.value, "id", "") == "trt":
            return "object", annotation.attr
        if isinstance(annotation, ast.Subscript) and isinstance(annotation.value, ast.Name):
            return self._inside(annotation)
        return None

    def _inside(self, annotation: ast.Subscript) -> Optional[Any]:
        inside: Any = annotation.slice
        inside = getattr(inside, "value", inside) if type(inside).__name__ == "Index" else inside  # Python 3.8
        if not isinstance(inside, ast.Tuple):
            return self.annotated(inside)
        parts = [self.annotated(part) or OTHER for part in inside.elts]
        if annotation.value.id == "Tuple" and len(parts) > 1:  # type: ignore[attr-defined]
            return parts if any(part != OTHER for part in parts) else None
        return parts[0] if parts[0] != OTHER else None


class _Checker(ast.NodeVisitor):
    def __init__(self, surface: Surface, known: _Declared) -> None:
        self._surface, self._known = surface, known
        self._env: Dict[str, Any] = {}
        self._class = ""
        self._others = [load_surface(version) for version in VERSIONS]
        self.missing: Set[Tuple[int, str]] = set()
        self.uses: Counter[str] = Counter()

    def block(self, body: Sequence[ast.stmt]) -> bool:
        """Visit statements; True if the end is never reached in this release."""
        for node in body:
            if isinstance(node, ast.If):
                self.visit(node.test)
                decided = self.decide(node.test)
                ends = [
                    self.block(part) for part, dead in ((node.body, False), (node.orelse, True)) if decided is not dead
                ]
                if all(ends):
                    return True
                continue
            self.visit(node)
            if isinstance(node, (ast.Return, ast.Raise, ast.Continue, ast.Break)):
                return True
        return False

    def generic_visit(self, node: ast.AST) -> None:
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns"):
                continue
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                self.block(value)
                continue
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, ast.AST):
                    self.visit(item)

    def decide(self, node: ast.AST) -> Optional[bool]:
        """Whether a condition holds in this release; None if that is not a matter of the release."""
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            inner = self.decide(node.operand)
            return None if inner is None else not inner
        if isinstance(node, ast.BoolOp):
            decisive = isinstance(node.op, ast.Or)
            parts = [self.decide(value) for value in node.values]
            if decisive in parts:
                return decisive
            return None if None in parts else not decisive
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "hasattr":
            kind, name = self.kind(node.args[0]), getattr(node.args[1], "value", None)
            return None if kind[0] not in ("module", "class", "object") else self._has(kind, name)
        if isinstance(node, ast.Compare) and isinstance(node.left, ast.Call):
            return self._compared(node)
        return None

    def _has(self, kind: Kind, name: Any) -> bool:
        return self._surface.member(kind, name) is not None

    def _compared(self, node: ast.Compare) -> Optional[bool]:
        called = getattr(node.left.func, "id", getattr(node.left.func, "attr", ""))  # type: ignore[attr-defined]
        compare = _COMPARE.get(type(node.ops[0]))
        if called != "release" or compare is None:
            return None
        return bool(compare(self._surface.release, ast.literal_eval(node.comparators[0])))

    def kind(self, node: ast.AST) -> Any:
        """What an expression is, as far as can be told; what this release lacks is taken from another."""
        if isinstance(node, ast.Name):
            return self._env.get(node.id, OTHER)
        if isinstance(node, ast.Attribute):
            return self._attribute(node)
        if isinstance(node, ast.Call):
            return self._result(node)
        if isinstance(node, ast.Tuple):
            return [self.kind(part) for part in node.elts]
        if isinstance(node, ast.IfExp):
            return self.kind(node.body) if self.kind(node.body) != OTHER else self.kind(node.orelse)
        if isinstance(node, (ast.ListComp, ast.GeneratorExp)):
            return self._env.get(getattr(node.elt, "id", ""), self.kind(node.elt))
        return OTHER

    def _attribute(self, node: ast.Attribute) -> Any:
        owner = self.kind(node.value)
        if isinstance(owner, tuple) and owner[0] in ("module", "class", "object"):
            found = (surface.member(owner, node.attr) for surface in [self._surface, *self._others])
            return next((kind for kind in found if kind is not None), OTHER)
        if isinstance(owner, tuple) and owner[0] == "own":
            return self._known.fields.get((owner[1], node.attr), OTHER)
        return OTHER

    def _result(self, node: ast.Call) -> Any:
        called = self.kind(node.func)
        if isinstance(called, tuple) and called[0] == "class":
            return "object", called[1]
        if getattr(node.func, "id", "") in self._known.classes:
            return "own", node.func.id  # type: ignore[attr-defined]
        if isinstance(called, tuple) and called[0] == "method":
            typed = (surface.typed(called[1]) for surface in [self._surface, *self._others])
            return next((kind for kind in typed if kind != OTHER), OTHER)
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        return self._known.results.get(name, OTHER)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.visit(node.value)
        owner = self.kind(node.value)
        if not isinstance(owner, tuple) or owner[0] not in ("module", "class", "object") or node.attr.startswith("__"):
            return
        self._use(node.lineno, owner, node.attr, isinstance(node.ctx, ast.Store))

    def _use(self, line: int, owner: Kind, name: str, store: bool) -> None:
        label = f"{owner[1]}.{name}" if owner[1] else name
        self.uses[label] += 1
        if not self._has(owner, name) or (store and not self._surface.settable(owner[1], name)):
            self.missing.add((line, label))

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        for value in node.values:
            self.visit(value)
            if self.decide(value) is isinstance(node.op, ast.Or):
                break

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.visit(node.test)
        decided = self.decide(node.test)
        if decided is not False:
            self.visit(node.body)
        if decided is not True:
            self.visit(node.orelse)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        for target in node.targets:
            self._bind(target, self.kind(node.value))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.generic_visit(node)
        found = self._known.annotated(node.annotation)
        self._bind(node.target, found if found is not None else self.kind(node.value) if node.value else OTHER)

    def visit_For(self, node: ast.For) -> None:
        self.visit(node.iter)
        self._bind(node.target, self.kind(node.iter))
        self.block(node.body)
        self.block(node.orelse)

    def _comprehension(self, node: Any) -> None:
        for part in node.generators:
            self.visit(part.iter)
            self._bind(part.target, self.kind(part.iter))
            for condition in part.ifs:
                self.visit(condition)
        for part in (getattr(node, name, None) for name in ("elt", "key", "value")):
            if part is not None:
                self.visit(part)

    visit_ListComp = visit_SetComp = visit_GeneratorExp = visit_DictComp = _comprehension

    def _bind(self, target: ast.AST, kind: Any) -> None:
        if isinstance(target, ast.Name):
            self._env[target.id] = kind
        elif isinstance(target, ast.Attribute):
            owner = self.kind(target.value)
            if kind != OTHER and isinstance(owner, tuple) and owner[0] == "own":
                self._known.fields.setdefault((owner[1], target.attr), kind)
        elif isinstance(target, ast.Tuple):
            kinds = kind if isinstance(kind, list) else [OTHER] * len(target.elts)
            for part, each in zip(target.elts, kinds):
                self._bind(part, each)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        outer, self._env = self._env, dict(self._env)
        for argument in [*node.args.args, *node.args.kwonlyargs]:
            self._env[argument.arg] = self._known.declared(argument.arg, argument.annotation)
        if "self" in self._env and self._class:
            self._env["self"] = "own", self._class
        self.block(node.body)
        self._env = outer

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit(node.body)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        outer, self._class = self._class, node.name
        for base in node.bases:
            self.visit(base)
            kind = self.kind(base)
            if isinstance(kind, tuple) and kind[0] == "class":
                self._overrides(node, kind)
        self.block(node.body)
        self._class = outer

    def _overrides(self, node: ast.ClassDef, kind: Kind) -> None:
        own = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
        for name in set(self._surface.classes.get(kind[1], {}).get("methods", {})) - _OPTIONAL:
            label = f"{kind[1]}.{name}"
            self.uses[label] += 1
            if name not in own:
                self.missing.add((node.lineno, f"{label} not overridden"))
