"""Facts of the passport policy: passports, ownership tokens and thread tokens that are burned or astray."""

from collections.abc import Iterator

from indexer import chain
from indexer.events import (
    ChainEvent,
    OwnershipTokenMoved,
    PassportRegistered,
    PassportUpdated,
    ReportingAccountClosed,
)
from indexer.protocol.cbor import Malformed
from indexer.protocol.datums import PassportDatum, read_passport_datum
from indexer.protocol.keys import PassportToken, battery_key, passport_token
from indexer.protocol.view import TransactionView, asset_fault, output_view


def passport_facts(view: TransactionView) -> Iterator[ChainEvent]:
    """Passports, then ownership tokens, in output order; then accounts closed, by key. The rest is quarantined."""
    policy = view.profile.passport_policy
    minted = view.mint_of(policy)
    held = [
        (index, name, quantity)
        for index, output in enumerate(view.tx.outputs)
        for name, quantity in view.tokens_in(output, policy).items()
    ]
    tokens = {name: _token(view, name) for name in (*minted, *(name for _, name, _ in held))}
    for index, name, quantity in held:
        token = tokens[name]
        if token is not None and token.role == "reference":
            yield from _passport(view, index, token, quantity, is_minted=minted.get(name, 0) > 0)
    for index, name, quantity in held:
        token = tokens[name]
        if token is not None and token.role == "user":
            yield from _ownership(view, index, token, quantity, is_minted=minted.get(name, 0) > 0)
    for name, quantity in minted.items():
        token = tokens[name]
        if token is not None and token.role == "thread" and quantity < 0:
            yield ReportingAccountClosed(
                **view.where, **view.signers, battery_key=token.battery_key, quantity=-quantity, inputs=view.inputs
            )
    _refuse_astray(view, held, tokens)
    _refuse_burned(view, minted, tokens)


def collateral_return_facts(view: TransactionView) -> Iterator[ChainEvent]:
    """Ownership tokens in the collateral return of a transaction whose scripts failed (index ``len(outputs)``)."""
    output = view.tx.collateral_return
    if output is None:
        return
    for name, quantity in view.tokens_in(output, view.profile.passport_policy).items():
        token = _token(view, name)
        if token is None or token.role != "user":
            continue
        try:
            yield OwnershipTokenMoved(
                **view.where,
                battery_key=token.battery_key,
                output=output_view(output, len(view.tx.outputs)),
                quantity=quantity,
                collateral_return=True,
            )
        except Malformed as error:
            view.refuse(error.reason, str(error), key=token.battery_key)


def _token(view: TransactionView, name: str) -> PassportToken | None:
    if asset_fault(name, 1):
        return None
    return passport_token(bytes.fromhex(name), view.profile.battery_key)


def _passport(
    view: TransactionView, index: int, token: PassportToken, quantity: int, *, is_minted: bool
) -> Iterator[ChainEvent]:
    output = view.tx.outputs[index]
    raw = b""
    try:
        raw = view.datum(output)
        passport = read_passport_datum(raw)
        shown = view.output(index)
        battery = _battery_id(passport, view, token)
    except Malformed as error:
        view.refuse(_named("passport_datum", error), str(error), key=token.battery_key, raw=raw)
        return
    departures = list(passport.departures)
    if passport.battery_id is None:
        departures.append("battery_id_missing")
    elif battery_key(battery, view.profile.battery_key) != token.battery_key:
        departures.append("battery_id_not_of_token")
    if quantity != 1:
        departures.append("reference_token_quantity")
    event = PassportRegistered if is_minted else PassportUpdated
    yield event(
        **view.where,
        battery_key=token.battery_key,
        output=shown,
        battery_id=battery.hex(),
        bms_public_key=None if passport.bms_public_key is None else passport.bms_public_key.hex(),
        bms_key_alg=passport.bms_key_alg,
        metadata_version=passport.version,
        metadata=passport.metadata,
        departures=tuple(departures),
    )


def _battery_id(passport: PassportDatum, view: TransactionView, token: PassportToken) -> bytes:
    """As the metadata says it; under the rule ``raw`` the token's name says it too."""
    if passport.battery_id is not None:
        return passport.battery_id
    if view.profile.battery_key == "raw":
        return bytes.fromhex(token.battery_key)
    raise Malformed("battery_id_missing", "the metadata names no battery")


def _ownership(
    view: TransactionView, index: int, token: PassportToken, quantity: int, *, is_minted: bool
) -> Iterator[ChainEvent]:
    try:
        yield OwnershipTokenMoved(
            **view.where,
            battery_key=token.battery_key,
            output=view.output(index),
            quantity=quantity,
            minted=is_minted,
        )
    except Malformed as error:
        view.refuse(error.reason, str(error), key=token.battery_key)


def _refuse_astray(
    view: TransactionView, held: list[tuple[int, str, int]], tokens: dict[str, PassportToken | None]
) -> None:
    """A thread token anywhere but at the reporting script proves no account."""
    for index, name, _ in held:
        token = tokens[name]
        if token is None or token.role != "thread":
            continue
        output: chain.Output = view.tx.outputs[index]
        if not view.pays_script(output, view.profile.reporting_script):
            view.refuse("thread_token_astray", f"output {index} is not at the reporting script", key=token.battery_key)


def _refuse_burned(view: TransactionView, minted: dict[str, int], tokens: dict[str, PassportToken | None]) -> None:
    """Burned labelled tokens, and names that follow no rule, once each."""
    for name, quantity in minted.items():
        token = tokens[name]
        if token is not None and token.role != "thread" and quantity < 0:
            role = "reference" if token.role == "reference" else "ownership"
            view.refuse(f"{role}_token_burned", f"{-quantity} of {name} burned", key=token.battery_key)
    for name in sorted(name for name, token in tokens.items() if token is None):
        shown = name if not asset_fault(name, 1) else "not hex"
        view.refuse("token_name_unknown", f"a token of the passport policy follows no rule: {shown}", raw=_raw(name))
    for policy in (view.profile.passport_policy, view.profile.commitment_policy):
        for name, quantity in sorted(view.tx.mint.get(policy, {}).items()):
            fault = asset_fault(name, quantity)
            if fault and name not in tokens:
                view.refuse("mint_malformed", f"minted or burned: {fault}", raw=_raw(name))


def _raw(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def _named(part: str, error: Malformed) -> str:
    return error.reason if error.reason == "output_malformed" else f"{part}_{error.reason}"
