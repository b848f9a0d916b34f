"""Whether a node takes a submitted transaction: the ledger's rules, first and second phase, with Ogmios' error codes.

Sources: cardano-ledger, ``Conway.Rules.Utxo``, ``Utxow`` and ``Utxos``; Ogmios' schema, ``SubmitTransactionFailure``.
"""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, Final

import cbor2
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from deploy.contracts import raw
from deploy.contracts.context import SlotConfig
from deploy.contracts.judge import Accepted, Refused, Verdict, judge
from deploy.contracts.ledger import Assets, NotJudged, Output, OutputReference
from deploy.contracts.machine import Machine, Units
from deploy.contracts.parameters import ProtocolParameters
from deploy.devnet.keys import hash28
from deploy.devnet.network import OgmiosVersion
from deploy.devnet.open_ledger import OpenLedger
from deploy.devnet.rpc import Refusal
from deploy.devnet.shown import Received, ada, address_text, assets_json
from indexer.protocol.cbor import Malformed

MIN_UTXO_PER_BYTE: Final = 4_310
MIN_UTXO_OVERHEAD_BYTES: Final = 160
COLLATERAL_PERCENT: Final = 150
MAX_COLLATERAL_INPUTS: Final = 3
_ERAS: Final[dict[OgmiosVersion, tuple[str, ...]]] = {
    "6.14": ("shelley", "allegra", "mary", "alonzo", "babbage", "conway"),
    "7": ("alonzo", "babbage", "conway", "dijkstra"),
}
"""Of which a failure to read a transaction is told, one by one."""

Json = dict[str, Any]


def read(cbor: bytes, version: OgmiosVersion) -> Received:
    """Raises Refusal (-32602) for bytes that are no transaction of ours."""
    try:
        return Received(cbor)
    except (Malformed, NotJudged, ValueError, IndexError, KeyError, TypeError) as error:
        why = str(error) or type(error).__name__
        raise Refusal(
            -32602,
            "Invalid transaction; It looks like the given transaction wasn't well-formed.",
            dict.fromkeys(_ERAS[version], why),
        ) from error


class Admission:
    """The rules over one ledger."""

    def __init__(self, ledger: OpenLedger, parameters: ProtocolParameters, slots: SlotConfig) -> None:
        self._ledger, self._parameters, self._slots = ledger, parameters, slots

    def warm_up(self) -> None:
        """Loads what scripts run on, which takes seconds."""
        Machine(self._parameters.plutus_v3_cost_model)

    def admit(self, cbor: bytes) -> Received:
        """The transaction, if the ledger takes it. Raises Refusal."""
        received = read(cbor, self._ledger.maker.plan.ogmios_version)
        seen = received.seen
        if not seen.inputs:
            raise Refusal(3121, "Transaction must have at least one input.")
        size, most = len(cbor), self._parameters.max_transaction_bytes
        if size > most:
            data: Json = {"measuredTransactionSize": {"bytes": size}, "maximumTransactionSize": {"bytes": most}}
            raise Refusal(3119, "The transaction exceeds the maximum size allowed by the protocol.", data)
        outputs = self._resolve(received)
        self._check_interval(received)
        self._check_signatures(received, outputs)
        self._check_value(received, outputs)
        self._check_deposits(received)
        self._check_fee(received, outputs)
        if seen.redeemers:
            self._check_collateral(received, outputs)
            self._check_integrity(received)
        self._check_scripts(received, outputs)
        return received

    def evaluate(self, cbor: bytes) -> list[Json]:
        """The units of each script run, for ``evaluateTransaction``. Raises Refusal."""
        received = read(cbor, self._ledger.maker.plan.ogmios_version)
        verdict = self._judge(received, self._resolve(received), declared_units=False)
        if isinstance(verdict, Refused):
            failure = {"validator": _pointer(verdict), "error": _validation_failure(verdict)}
            raise Refusal(3010, "Some scripts of the transactions terminated with error(s).", [failure])
        return [
            {
                "validator": {"purpose": pointer.purpose, "index": pointer.index},
                "budget": {"memory": units.memory, "cpu": units.cpu},
            }
            for pointer, units in verdict.units.items()
        ]

    def _resolve(self, received: Received) -> dict[OutputReference, Output]:
        seen = received.seen
        found: dict[OutputReference, Output] = {}
        unknown = []
        for reference in dict.fromkeys((*seen.inputs, *seen.collateral, *seen.references)):
            output = self._ledger.resolve(reference)
            spent = reference in seen.inputs or reference in seen.collateral
            if output is None or (spent and self._ledger.is_the_makers(reference)):
                unknown.append({"transaction": {"id": reference[0]}, "index": reference[1]})
            else:
                found[reference] = output
        if unknown:
            raise Refusal(
                3117,
                "The transaction contains unknown UTxO references as inputs.",
                {"unknownOutputReferences": unknown},
            )
        return found

    def _check_interval(self, received: Received) -> None:
        before, after, slot = received.seen.invalid_before, received.seen.invalid_after, self._ledger.slot
        if (before is not None and slot < before) or (after is not None and slot >= after):
            interval = {"invalidBefore": before, "invalidAfter": after}
            data = {
                "validityInterval": {key: value for key, value in interval.items() if value is not None},
                "currentSlot": slot,
            }
            raise Refusal(3118, "The transaction is outside of its validity interval.", data)

    def _check_signatures(self, received: Received, outputs: Mapping[OutputReference, Output]) -> None:
        wrong = [key.hex() for key, signature in received.signatures if not _signed(key, signature, received.seen.id)]
        if wrong:
            raise Refusal(3100, "Some signatures are invalid.", {"invalidSignatories": wrong})
        seen = received.seen
        spent = [outputs[reference].address for reference in (*seen.inputs, *seen.collateral)]
        needed = {address[1:29] for address in spent if not address[0] >> 4 & 1} | set(seen.required_signers)
        missing = sorted(needed - {hash28(key) for key, _ in received.signatures})
        if missing:
            data = {"missingSignatories": [key.hex() for key in missing]}
            raise Refusal(3101, "Some signatures are missing.", data)

    def _check_value(self, received: Received, outputs: Mapping[OutputReference, Output]) -> None:
        seen = received.seen
        consumed = _total([(outputs[key].lovelace, outputs[key].assets) for key in seen.inputs] + [(0, seen.mint)])
        produced = _total([(out.lovelace, out.assets) for out in seen.outputs] + [(seen.fee, {})])
        if consumed != produced:
            data = {"valueConsumed": _value_json(consumed), "valueProduced": _value_json(produced)}
            raise Refusal(3123, "In and out value not conserved.", data)

    def _check_deposits(self, received: Received) -> None:
        poor = []
        for raw_output, output in zip(raw.items(received.body[1]), received.seen.outputs, strict=True):
            least = (len(raw_output) + MIN_UTXO_OVERHEAD_BYTES) * MIN_UTXO_PER_BYTE
            if output.lovelace < least:
                shown = {"address": address_text(output.address), "value": ada(output.lovelace) | assets_json(output)}
                poor.append({"output": shown, "minimumRequiredValue": ada(least)})
        if poor:
            data = {"insufficientlyFundedOutputs": poor}
            raise Refusal(3125, "Some outputs have an insufficient amount of Ada attached to them.", data)

    def _check_fee(self, received: Received, outputs: Mapping[OutputReference, Output]) -> None:
        seen = received.seen
        declared = Units(sum(each.memory for each in seen.redeemers), sum(each.cpu for each in seen.redeemers))
        carried = [outputs[key].script for key in dict.fromkeys((*seen.inputs, *seen.references))]
        least = self._parameters.fee(len(received.cbor), declared, sum(len(each[1]) for each in carried if each))
        if seen.fee < least:
            data = {"minimumRequiredFee": ada(least), "providedFee": ada(seen.fee)}
            raise Refusal(3122, "Insufficient fee!", data)

    def _check_collateral(self, received: Received, outputs: Mapping[OutputReference, Output]) -> None:
        seen = received.seen
        if not seen.collateral:
            raise Refusal(3132, "The transaction doesn't provide any collateral inputs but it must.")
        if len(seen.collateral) > MAX_COLLATERAL_INPUTS:
            data: Json = {
                "maximumCollateralInputs": MAX_COLLATERAL_INPUTS,
                "countedCollateralInputs": len(seen.collateral),
            }
            raise Refusal(3131, "The transaction contains too many collateral inputs.", data)
        given = _total([(outputs[key].lovelace, outputs[key].assets) for key in seen.collateral])
        back = received.collateral_return
        left = _total([(-back.lovelace, _negative(back.assets))], given) if back else given
        if any(quantity for (policy, _), quantity in left.items() if policy):
            raise Refusal(
                3133, "Collateral must consist of Ada only.", {"unsuitableCollateralValue": _value_json(left)}
            )
        lovelace, least = left.get((b"", b""), 0), -(-seen.fee * COLLATERAL_PERCENT // 100)
        if lovelace < least:
            data = {"providedCollateral": ada(lovelace), "minimumRequiredCollateral": ada(least)}
            raise Refusal(3128, "Insufficient collateral value for Plutus scripts in the transaction.", data)
        declared = received.total_collateral
        if declared is not None and declared != lovelace:
            data = {"declaredTotalCollateral": ada(declared), "computedTotalCollateral": ada(lovelace)}
            raise Refusal(
                3135, "There's a mismatch between the declared total collateral amount and the computed.", data
            )

    def _check_integrity(self, received: Received) -> None:
        """The hash over redeemers, datums and the language's cost model (``conway.cddl``, script_data_hash)."""
        views = cbor2.dumps({2: list(self._parameters.plutus_v3_cost_model)})
        protected = received.witnesses.get(5, b"") + received.witnesses.get(4, b"") + views
        computed = blake2b(protected, digest_size=32).hexdigest()
        provided = raw.octets(received.body[11]).hex() if 11 in received.body else None
        if provided != computed:
            data = {"providedScriptIntegrity": provided, "computedScriptIntegrity": computed}
            raise Refusal(3113, "The provided script integrity hash doesn't match the computed one.", data)

    def _check_scripts(self, received: Received, outputs: Mapping[OutputReference, Output]) -> None:
        """Scripts must do what the transaction says of them: one that declares a failure is taken if it does fail."""
        verdict = self._judge(received, outputs, declared_units=True)
        if isinstance(verdict, Refused) and verdict.reason == "script_missing":
            raise Refusal(3102, "Some script witnesses are missing.", {"missingScripts": [verdict.script_hash.hex()]})
        if isinstance(verdict, Refused) and verdict.reason == "redeemer_missing":
            raise Refusal(3109, "Missing required redeemer(s).", {"missingRedeemers": [_pointer(verdict)]})
        if isinstance(verdict, Accepted) != received.valid:
            why = _reason(verdict) if isinstance(verdict, Refused) else "Every script passed, none failed as declared."
            data = {"declaredSpending": "inputs" if received.valid else "collaterals", "mismatchReason": why}
            raise Refusal(3136, "Invalid transaction submitted as valid, or vice-versa.", data)

    def why_refused(self, received: Received, outputs: Mapping[OutputReference, Output]) -> str:
        """What a script says against a transaction; empty where all accept. Units are not held against it."""
        verdict = self._judge(received, outputs, declared_units=False)
        return "" if isinstance(verdict, Accepted) else _reason(verdict)

    def _judge(self, received: Received, outputs: Mapping[OutputReference, Output], *, declared_units: bool) -> Verdict:
        try:
            return judge(received.cbor, outputs, self._slots, self._parameters, declared_units=declared_units)
        except NotJudged as error:
            raise Refusal(3004, "Unable to create the evaluation context.", {"reason": str(error)}) from error


def _reason(refused: Refused) -> str:
    where = f"{refused.pointer.purpose}:{refused.pointer.index}"
    return f"{refused.trace or refused.reason} ({where}): {refused.detail}"


def _pointer(refused: Refused) -> Json:
    return {"purpose": refused.pointer.purpose, "index": refused.pointer.index}


def _validation_failure(refused: Refused) -> Json:
    if refused.reason == "script_missing":
        data: Json = {"missingScripts": [_pointer(refused)]}
        return {"code": 3011, "message": "An associated script witness is missing.", "data": data}
    data = {"validationError": _reason(refused), "traces": [refused.trace] if refused.trace else []}
    return {"code": 3012, "message": "Some of the scripts failed to evaluate to a positive outcome.", "data": data}


def _signed(key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        VerifyKey(key).verify(message, signature)
    except (BadSignatureError, ValueError, TypeError):
        return False
    return True


Value = dict[tuple[bytes, bytes], int]
"""(policy, asset name) -> quantity; lovelace under two empty strings."""


def _total(parts: Iterable[tuple[int, Assets]], start: Value | None = None) -> Value:
    total: Value = dict(start or {})
    for lovelace, assets in parts:
        total[b"", b""] = total.get((b"", b""), 0) + lovelace
        for policy, names in assets.items():
            for name, quantity in names.items():
                total[policy, name] = total.get((policy, name), 0) + quantity
    return {key: quantity for key, quantity in total.items() if quantity}


def _negative(assets: Assets) -> Assets:
    return {policy: {name: -quantity for name, quantity in names.items()} for policy, names in assets.items()}


def _value_json(value: Value) -> Json:
    shown: Json = ada(value.get((b"", b""), 0))
    for (policy, name), quantity in value.items():
        if policy:
            shown.setdefault(policy.hex(), {})[name.hex()] = quantity
    return shown
