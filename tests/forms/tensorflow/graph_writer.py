"""A writer of object graphs, for those that TensorFlow never writes; it trusts its caller in everything."""

from __future__ import annotations

from tests.forms.tensorflow.index_writer import message


def attribute(full_name, key):
    """Encode the field of an object that is a variable."""
    return (2, message((1, b"VARIABLE_VALUE"), (2, full_name.encode()), (3, key.encode())))


def slot(original, name, node):
    """Encode the field of an optimizer for a slot: the number of the variable, and that of the slot's own object."""
    return (3, message((1, original), (2, name.encode()), (3, node)))


def child(node, name):
    """Encode the field of an object for another one below it."""
    return (1, message((1, node), (2, name.encode())))


def graph(*nodes):
    """Encode a graph of objects, each a list of fields."""
    return message(*((1, message(*fields)) for fields in nodes))
