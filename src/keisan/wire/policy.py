"""Policies on the wire: one text form everywhere, parsed by keisan.domain.policy."""

from typing import Annotated

from pydantic import StringConstraints

from keisan.domain.limits import POLICY_CHARACTERS_MAX

PolicyText = Annotated[str, StringConstraints(max_length=POLICY_CHARACTERS_MAX)]
