"""The kit's flags behind OpenFeature's API, for code that is written against it.

    api.set_provider_and_wait(FlagProvider(FLAGS))
    api.get_client().get_boolean_value("new-listing", False, EvaluationContext("customer-7"))

The same decisions, counted the same. As OpenFeature has it, a flag that the file says nothing of has the
value that the caller gives, not the one of its declaration. OpenFeature's client costs twenty times what the flag
does, `FlagClient`, which is the same to whoever calls it, five times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import FlagNotFoundError, GeneralError, TypeMismatchError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType
from openfeature.provider import AbstractProvider, Metadata

from platform_kit.flags.decision import ERROR
from platform_kit.flags.flagset import FlagSet

T = TypeVar("T")

_NOBODY = EvaluationContext()
_NO_METADATA: Mapping[str, bool | int | float | str] = MappingProxyType({})
_NAME = Metadata("platform_kit")  # the client asks for it with every question


class FlagProvider(AbstractProvider):
    """OpenFeature's provider of a service's flags."""

    def __init__(self, flags: FlagSet) -> None:
        super().__init__()
        self._flags = flags

    def get_metadata(self) -> Metadata:
        """Return the provider's name."""
        return _NAME

    def resolve_boolean_details(
        self,
        flag_key: str,
        default_value: bool,  # noqa: FBT001 - OpenFeature's signature
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[bool]:
        """Decide a flag that is on or off."""
        return self._decided(flag_key, default_value, evaluation_context, bool)

    def resolve_string_details(
        self,
        flag_key: str,
        default_value: str,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[str]:
        """Decide a flag whose variants are texts."""
        return self._decided(flag_key, default_value, evaluation_context, str)

    def resolve_integer_details(
        self,
        flag_key: str,
        default_value: int,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[int]:
        """Decide a flag whose variants are numbers, if this one is whole."""
        return self._decided(flag_key, default_value, evaluation_context, int)

    def resolve_float_details(
        self,
        flag_key: str,
        default_value: float,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[float]:
        """Decide a flag whose variants are numbers."""
        details = self._decided(flag_key, default_value, evaluation_context, (int, float))
        details.value = float(details.value)
        return details

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[FlagValueType] | Mapping[str, FlagValueType]]:
        """Refuse: no flag is declared as an object."""
        return self._decided(flag_key, default_value, evaluation_context, (dict, list))

    def _decided(
        self,
        key: str,
        default: T,
        context: EvaluationContext | None,
        wanted: type | tuple[type, ...],
    ) -> FlagResolutionDetails[Any]:
        flag = self._flags.get(key)
        if flag is None:
            raise FlagNotFoundError(f"flag {key!r} is not declared")
        context = context or _NOBODY
        outcome = flag.decide(context.targeting_key or "", context.attributes)
        if outcome.variant is None:
            if outcome.reason == ERROR:
                raise GeneralError(f"flag {key!r}: the rule results in no variant")
            return FlagResolutionDetails(default, None, None, outcome.reason, None, _NO_METADATA)
        value = outcome.value
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            raise TypeMismatchError(f"flag {key!r} has no such type: {value!r}")
        # By position: by name, and with a dict of its own, it takes twice as long.
        return FlagResolutionDetails(
            value, None, None, outcome.reason, outcome.variant, _NO_METADATA
        )
