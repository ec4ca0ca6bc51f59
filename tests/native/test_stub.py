"""The stub of the native module names what the module has: no more, no less, and with the same parameters."""

import ast
import inspect
from pathlib import Path

import pytest

from keisan import _native

STUB = ast.parse((Path(__file__).parents[2] / "src/keisan/_native.pyi").read_text())


def is_property(function: ast.FunctionDef) -> bool:
    return any(isinstance(decorator, ast.Name) and decorator.id == "property" for decorator in function.decorator_list)


def list_stub_names() -> dict[str, list[str] | None]:
    """Return each function and method of the stub with its parameters, and each property with None."""
    names: dict[str, list[str] | None] = {}
    for node in STUB.body:
        if isinstance(node, ast.FunctionDef):
            names[node.name] = [argument.arg for argument in node.args.args]
        if isinstance(node, ast.ClassDef):
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and method.name != "__init__":
                    parameters = [argument.arg for argument in method.args.args]
                    names[f"{node.name}.{method.name}"] = None if is_property(method) else parameters
    return names


def list_native_names() -> set[str]:
    """Return the public functions and methods that the built module has."""
    names = set()
    for name, value in vars(_native).items():
        if name.startswith("_"):
            continue
        if inspect.isclass(value):
            names |= {f"{name}.{method}" for method in vars(value) if not method.startswith("_")}
        else:
            names.add(name)
    return names


def test_same_names() -> None:
    assert set(list_stub_names()) == list_native_names()


@pytest.mark.parametrize(("name", "parameters"), list_stub_names().items())
def test_same_parameters(name: str, parameters: list[str] | None) -> None:
    value: object = _native
    for part in name.split("."):
        value = getattr(value, part)
    if parameters is None:
        assert inspect.isgetsetdescriptor(value)
        return
    assert callable(value)
    assert list(inspect.signature(value).parameters) == parameters
