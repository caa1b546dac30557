"""What the names of every naming obey."""

from __future__ import annotations

from safeload.bert._config import validate_config
from safeload.bert._parameters import list_parameters
from safeload.testing._bert import BERT_CONFIG
from tests.opened import ref

CONFIG = validate_config(dict(BERT_CONFIG), ref("the arguments"))


def require_one_name_each(naming, scope):
    """Require that each parameter has one name, from which the parameter is found again."""
    parameters = list_parameters(CONFIG, training=True)
    names = [naming.stored_as(parameter, scope)[0] for parameter in parameters]

    assert len(set(names)) == len(parameters)
    assert [naming.canonical(name, scope) for name in names] == list(parameters)
    assert [naming.shown(parameter, scope) for parameter in parameters] == names
