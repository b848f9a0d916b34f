"""Checks and reason codes in the words of somebody who knows no cryptography. Codes are stable, words are not."""

from typing import Final

from projections.rules.catalogue import RULES

CHECKS: Final = {
    "scripts": "The chain accepted the reading's transaction",
    "commitment_consumed": "A challenge that was asked for beforehand was used up by this reading",
    "battery": "Challenge, account and reading speak of the same battery",
    "user": "Whoever asked for the challenge has signed the submission",
    "recent": "The reading came soon enough after its challenge",
    "challenge": "The reading answers this challenge and no other",
    "signature": "The chain's own check of the signature passes",
    "counter": "The battery's counter has gone up since the last reading",
    "soh": "The state of health has not risen by more than the tolerance",
    "cycles": "The charge cycles have not gone down",
    "ownership": "The submitter holds the battery's ownership token",
    "account_kept": "The battery's account was left as it was, but for this reading",
    "reward": "The submitter was paid the reward",
    "cose_structure": "The message is whole and well formed",
    "algorithm": "The signature's algorithm is allowed, and the one of the battery's key",
    "own_verification": "The battery's key signed exactly these bytes",
    "passport_key": "The account's key is the one in the battery's passport",
    "passport_battery": "The reading names the battery of the passport",
    "on_chain_signature": "The chain itself could check the signature",
}
"""Check -> what it means that it passed."""

REASONS: Final = {
    # Ledger
    "scripts_failed": "a contract refused the transaction; only its collateral was taken",
    "two_live_accounts": "the operator has opened a second account for this battery",
    "no_commitment_token_burned": "no challenge was used up",
    "several_commitment_tokens_burned": "several challenges were used up at once",
    "no_open_commitment_spent": "the challenge that was used up is none that was open for this battery",
    "commitment_may_be_forgotten": "so many challenges were open that some are not remembered; it may be one of them",
    "account_unproven": "the account has no thread token: anybody can make such a one",
    "account_before_unknown": "the account that was spent is not the one last seen",
    "account_not_in_output_0": "the account is not the transaction's first output",
    "account_address_changed": "the account moved to another address",
    "account_tokens_changed": "the account's tokens changed",
    "account_lovelace_not_less_by_reward": "the account lost or gained something else than the reward",
    "account_with_reference_script": "a script was put into the account",
    "account_datum_not_inline": "the account's data is not in its output",
    "account_datum_unreadable": "the account's data can't be read",
    "account_datum_not_of_reading": "the account's data is not what this reading makes of it",
    "output_1_not_to_user": "the second output does not pay whoever asked for the challenge",
    "reward_too_small": "less than the reward was paid",
    "signature_not_verifiable_on_chain": "the chain has no function for this curve; it was verified here",
    # Crypto
    "no_key_known": "no passport and no account tells the battery's key",
    "no_passport_key": "the passport names no key",
    "account_with_a_key_of_its_own": "the account names a key that is not the battery's: a forgery",
    "account_key_replaced": "the account names a key that the passport has replaced",
    "signed_by_replaced_key": "an earlier module of this battery signed it, whose key was replaced",
    "signed_by_passport_key": "the key in the passport signed it, but not the account's",
    "signed_by_key_of_unproven_account": "the key of whoever made the account signed it",
    "signed_by_key_of_account_after": "a key signed it that only this transaction put into the account",
    "nothing_to_verify": "a part that the signature covers is missing",
    "signature_mismatch": "the signature is not of this key over these bytes: something was forged or changed",
    "signature_not_64_bytes": "the signature does not have 64 bytes",
    "signature_out_of_range": "the signature's numbers are none that the curve allows",
    "key_length": "the key has not the length of a key for this algorithm",
    "key_not_on_curve": "the key is no point of the curve",
    "algorithm_missing": "the message does not say, under its signature, how it is signed",
    "algorithm_not_a_number": "the message names its algorithm by something else than a number",
    "algorithm_unknown": "the algorithm is none that the protocol knows",
    "algorithm_not_allowed": "the deployment does not allow this algorithm",
    "algorithm_not_of_key": "the key is for another algorithm than the message names",
    "builtin_false": "the chain's function says no",
    "builtin_error": "the chain's function can't even read key or signature",
    "no_builtin_for_p256": "the chain has no function for the curve P-256",
    "high_s_twin_valid": "it is the mirror image of a valid signature; it proves as much, and the chain refuses it",
    "high_s": "the signature has a high s, as the chain refuses it",
    "untagged": "the message lacks its tag; that is allowed",
    "not_deterministic": "the message is spelt in an unusual way; the signature covers it as it is",
    "unprotected_not_empty": "the message has a header that its signature does not cover",
    "protected_has_more_than_alg": "the message has more headers than the protocol asks for",
    "legacy_slot_challenge": "an older form: its challenge is a time, so nothing proves it fresh",
    "legacy_validity_interval": "an older form: it says itself how long it holds, so nothing proves it fresh",
    "legacy_json_challenge": "an older form in JSON: what it signs is not all of it",
    "legacy_json_timestamp": "an older form in JSON: what it signs is not all of it",
    "legacy_json": "an older form in JSON: what it signs is not all of it",
    # Binding
    "batteries_differ": "they speak of different batteries",
    "battery_id_missing": "the reading names no battery",
    "battery_id_not_of_passport": "the passport is of another battery",
    "no_passport": "no passport of the battery is known",
    "user_not_required_to_sign": "whoever asked for the challenge was not asked to sign",
    "claimed_slot_drifts": "the challenge claims another time than that of its block; this only warns",
    "commitment_too_old": "too much time passed between challenge and reading",
    "challenge_not_32_bytes": "the challenge is not the id of a transaction",
    "challenge_of_another_commitment": "the reading answers another challenge",
    "ownership_token_minted": "the ownership token was made on the spot",
    "output_1_without_ownership_token": "the submitter does not show the ownership token",
    # Plausibility
    "counter_missing": "the reading has no counter",
    "counter_not_above_last": "the counter is not above that of the last reading",
    "soh_missing": "the reading has no state of health",
    "soh_above_tolerance": "the state of health is above that of the last reading by more than the tolerance",
    "account_without_soh": "the account does not keep the last state of health",
    "cycle_count_missing": "the reading has no count of cycles",
    "cycles_below_last": "fewer cycles than in the last reading",
    "account_without_cycles": "the account does not keep the last count of cycles",
    "put_aside": "the state of health is so far from all others that it waits for a second reading to agree",
    # Structure
    "cose_malformed": "the bytes are no sound message",
    "not_cose": "this is text and no signed message",
    "trailing_bytes": "something follows the message",
    "wrong_tag": "the message says that it is something else",
    "not_a_sign1_array": "the message does not have the four parts of a signed one",
    "no_payload": "the signed values are not in the message",
    "payload_not_a_map": "the signed values are no list of names and values",
    "payload_malformed": "the signed values are no sound CBOR",
    "payload_duplicate_key": "a value stands there twice, and nobody can say which one counts",
    "payload_trailing_bytes": "something follows the signed values",
    "duplicate_label": "a header stands there twice",
    "crit_label_unknown": "the message asks for something that nobody here understands",
}
"""Reason code -> why. Rule ids are explained by the catalogue, rarer faults of structure by their code."""


def why(reason: str) -> str:
    """A reason code in words."""
    if reason in REASONS:
        return REASONS[reason]
    rule = RULES.get(reason)
    return f"{rule.name}: {rule.meaning}" if rule is not None else reason.replace("_", " ")
