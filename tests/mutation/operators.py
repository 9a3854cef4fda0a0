"""What is changed: mutmut's operators on every line that can run, and four that mutmut lacks."""

import libcst as cst
import libcst.matchers as m
from libcst.metadata import MetadataWrapper, ParentNodeProvider, PositionProvider
from mutmut.mutation.mutators import mutation_operators

_UNTOUCHED_NAMES = {"__all__", "__slots__"}
_TYPES = {"TypeVar", "ParamSpec", "tuple", "Callable", "ContextVar", "logging.getLogger"}
_SHOWN = 110


def remove_statement(node):
    """A call whose value nobody uses, or a raise, is left out."""
    unused = m.Expr(value=m.Call() | m.Await()) | m.Raise()
    if len(node.body) == 1 and m.matches(node.body[0], unused):
        yield node.with_changes(body=[cst.Pass()])


def return_nothing(node):
    """None in the place of what is returned."""
    if node.value is not None and not m.matches(node.value, m.Name("None")):
        yield node.with_changes(value=cst.Name("None"), whitespace_after_return=_space())


def negate_condition(node):
    """The other branch is taken, the other items are chosen."""
    if m.matches(node.test, m.UnaryOperation(operator=m.Not())):
        return
    bare = node.test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    negated = cst.UnaryOperation(operator=cst.Not(), expression=bare)
    space = "whitespace_after_while" if isinstance(node, cst.While) else "whitespace_before_test"
    yield node.with_changes(**{"test": negated, space: _space()})


def raise_without_cause(node):
    """No ``from``."""
    if node.cause is not None:
        yield node.with_changes(cause=None, whitespace_after_raise=_space())


def _space():
    return cst.SimpleWhitespace(" ")


OPERATORS = [
    *mutation_operators,
    (cst.SimpleStatementLine, remove_statement),
    (cst.Return, return_nothing),
    (cst.If | cst.While | cst.CompIf, negate_condition),
    (cst.Raise, raise_without_cause),
]


class Mutant:
    """One change: what, where, and the lines of the statement that it is in."""

    def __init__(self, number, node, after, operator):
        self.number = number
        self.node = node
        self.after = after
        self.operator = operator.__name__.removeprefix("operator_")
        self.line = 0
        self.lines = (1, 1)
        self.is_in_function = False
        self.old = self.new = ""


class _Finder(cst.CSTVisitor):
    METADATA_DEPENDENCIES = (PositionProvider, ParentNodeProvider)

    def __init__(self, module):
        self.module = module
        self.found = []

    def on_visit(self, node):
        if self._is_skipped(node):
            return False
        for kind, operator in OPERATORS:
            if isinstance(node, kind):
                for after in operator(node):
                    self._add(Mutant(len(self.found), node, after, operator))
        return True

    def _is_skipped(self, node):
        """What only types, names or narrows; what mutmut leaves alone is left alone too."""
        match node:
            case (
                cst.Annotation() | cst.Decorator() | cst.ImportFrom() | cst.Import() | cst.Assert()
            ):
                return True
            case cst.FunctionDef():
                return any(
                    m.matches(each.decorator, m.Name("overload")) for each in node.decorators
                )
            case cst.ClassDef():
                return any(m.matches(each.value, m.Name("Protocol")) for each in node.bases)
            case cst.If():
                return m.matches(node.test, m.Name("TYPE_CHECKING"))
            case cst.Call():
                return m.matches(node.func, m.Name("len") | m.Name("isinstance"))
            case cst.Param() if node.default is not None:
                return not isinstance(node.default, cst.Name | cst.BaseNumber | cst.BaseString)
            case cst.Expr():
                return isinstance(node.value, cst.BaseString)
            case cst.Assign() | cst.AnnAssign():
                return self._names_types(node)
        return False

    def _names_types(self, node):
        target = node.targets[0].target if isinstance(node, cst.Assign) else node.target
        if m.matches(target, m.Name()) and target.value in _UNTOUCHED_NAMES:
            return True
        match node.value:
            case cst.Call(func=made) | cst.Subscript(value=made):
                return self.module.code_for_node(made) in _TYPES
        return False

    def _add(self, mutant):
        self.found.append(mutant)
        node = mutant.node
        while (position := self.get_metadata(PositionProvider, node, None)) is None:
            node = self._parent(node)
        mutant.line = position.start.line
        mutant.lines = self._lines(mutant.node)
        mutant.is_in_function = self._is_in_function(mutant.node)
        code = self.module.code_for_node
        mutant.old = " ".join(code(mutant.node).split())[:_SHOWN]
        mutant.new = " ".join(code(mutant.after).split())[:_SHOWN]

    def _parent(self, node):
        return self.get_metadata(ParentNodeProvider, node, None)

    def _lines(self, node):
        """Those of the simple statement, or of the head of the compound one."""
        heads = cst.BaseCompoundStatement | cst.ExceptHandler | cst.MatchCase
        while not isinstance(node, cst.SimpleStatementLine | heads):
            if (node := self._parent(node)) is None:
                return (1, 1)
        where = self.get_metadata(PositionProvider, node)
        first, last = where.start.line, where.end.line
        if isinstance(node, cst.Match):
            last = first
        elif not isinstance(node, cst.SimpleStatementLine):
            last = max(first, self.get_metadata(PositionProvider, node.body).start.line)
        return (first, last)

    def _is_in_function(self, node):
        while (parent := self._parent(node)) is not None:
            if isinstance(parent, cst.FunctionDef) and node is parent.body:
                return True
            node = parent
        return False


class _Replacer(cst.CSTTransformer):
    def __init__(self, old, new):
        self.old, self.new = old, new
        self.is_done = False

    def on_visit(self, node):
        return not (self.is_done or node is self.old)

    def on_leave(self, original_node, updated_node):
        if original_node is self.old:
            self.is_done = True
            return self.new
        return updated_node


class MutatedFile:
    """A file and its mutants, in the order of their places."""

    def __init__(self, path):
        self.path = path
        self.source = path.read_text()
        wrapper = MetadataWrapper(cst.parse_module(self.source))
        self.module = wrapper.module
        finder = _Finder(self.module)
        wrapper.visit(finder)
        self.mutants = finder.found

    def source_of(self, mutant):
        """The text of the file with this one change."""
        return self.module.visit(_Replacer(mutant.node, mutant.after)).code
