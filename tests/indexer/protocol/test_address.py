from string import printable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.protocol.address import Address, payment_fragment, read_address, to_bech32

# CIP-19's test vectors.
PAYMENT_KEY = "9493315cd92eb5d8c4304e67b7e16ae36d61d34502694657811a2c8e"
STAKE_KEY = "337b62cfff6403a06a3acbc34f8c46003c69fe79a3628cefa9c47251"
SCRIPT = "c37b1b5dc0669f1d3c61a6fddb2e8fde96be87b881c60bce8e8d542f"
TYPE_0 = "addr1qx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzer3n0d3vllmyqwsx5wktcd8cc3sq835lu7drv2xwl2wywfgse35a3x"
TYPE_1 = "addr1z8phkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gten0d3vllmyqwsx5wktcd8cc3sq835lu7drv2xwl2wywfgs9yc0hh"
TYPE_2 = "addr1yx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzerkr0vd4msrxnuwnccdxlhdjar77j6lg0wypcc9uar5d2shs2z78ve"
TYPE_3 = "addr1x8phkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gt7r0vd4msrxnuwnccdxlhdjar77j6lg0wypcc9uar5d2shskhj42g"
TYPE_4 = "addr1gx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzer5pnz75xxcrzqf96k"
TYPE_5 = "addr128phkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gtupnz75xxcrtw79hu"
TYPE_6 = "addr1vx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzers66hrl8"
TYPE_7 = "addr1w8phkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gtcyjy7wx"
TYPE_14 = "stake1uyehkck0lajq8gr28t9uxnuvgcqrc6070x3k9r8048z8y5gh6ffgw"
TYPE_15 = "stake178phkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gtcccycj5"
BYRON = (
    "37btjrVyb4KDXBNC4haBVPCrro8AQPHwvCMp3RFhhSVWwfFmZ6wwzSK6JK1hY6wHNmtrpTf1kdbva8TCneM2YsiXT7mrzT21EacHnPpz5YyUdj64na"
)
hashes = st.binary(min_size=28, max_size=28)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (TYPE_0, (PAYMENT_KEY, "key", STAKE_KEY, "key")),
        (TYPE_1, (SCRIPT, "script", STAKE_KEY, "key")),
        (TYPE_2, (PAYMENT_KEY, "key", SCRIPT, "script")),
        (TYPE_3, (SCRIPT, "script", SCRIPT, "script")),
        (TYPE_4, (PAYMENT_KEY, "key", "", "pointer")),
        (TYPE_5, (SCRIPT, "script", "", "pointer")),
        (TYPE_6, (PAYMENT_KEY, "key", "", "")),
        (TYPE_7, (SCRIPT, "script", "", "")),
    ],
)
def test_every_shelley_address_of_cip_19_shows_its_parts(text: str, parts: tuple[str, ...]) -> None:
    found = read_address(text)
    assert (found.payment, found.payment_kind, found.stake, found.stake_kind) == parts
    assert (found.form, found.network) == ("shelley", 1)


def test_stake_and_byron_addresses_have_no_payment_credential() -> None:
    for text, form in ((TYPE_14, "stake"), (TYPE_15, "stake"), (BYRON, "byron")):
        assert (read_address(text).form, read_address(text).payment) == (form, "")
    assert read_address(TYPE_15).stake == SCRIPT


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (TYPE_0[:-1] + "q", "wrong_checksum"),
        (TYPE_0[:-1] + "b", "wrong_character"),
        (TYPE_0.upper(), "wrong_character"),
        ("addr1", "wrong_character"),
        ("", "unknown_form"),
        ("1", "unknown_form"),
        ("Ae2tdPwUPEZ0", "wrong_character"),
        ("é" * 20, "wrong_character"),
        ("a" * 2_000, "too_long"),
        (to_bech32("addr", b"\x00" + bytes(55)), "wrong_length"),
        (to_bech32("addr", b"\x00" + bytes(57)), "wrong_length"),
        (to_bech32("addr", b"\x40" + bytes(28)), "wrong_length"),
        (to_bech32("addr", b"\x60" + bytes(29)), "wrong_length"),
        (to_bech32("addr", b"\x60"), "wrong_length"),
        (to_bech32("addr", b"\x80" + bytes(28)), "wrong_header"),
        (to_bech32("addr", b"\xe0" + bytes(28)), "wrong_header"),
        (to_bech32("stake", b"\x60" + bytes(28)), "wrong_header"),
        (to_bech32("pool", b"\x60" + bytes(28)), "wrong_character"),
    ],
)
def test_a_malformed_address_says_why_and_has_no_credential(text: str, fault: str) -> None:
    found = read_address(text)
    assert (found.form, found.fault, found.payment) == ("malformed", fault, "")


@given(
    payment=hashes,
    stake=hashes,
    prefix=st.sampled_from(["addr", "addr_test"]),
    header=st.integers(0, 7),
    network=st.integers(0, 15),
    pointer=st.binary(max_size=9),
)
def test_an_address_written_is_read_back_and_holds_its_payment_s_fragment(
    *, payment: bytes, stake: bytes, prefix: str, header: int, network: int, pointer: bytes
) -> None:
    rest = stake if header < 4 else pointer + b"\x01" if header < 6 else b""
    text = to_bech32(prefix, bytes((header << 4 | network,)) + payment + rest)
    found = read_address(text)
    assert (found.payment, found.header_type, found.network) == (payment.hex(), header, network)
    assert found.payment_kind == ("script" if header % 2 else "key")
    fragment = payment_fragment(payment.hex())
    assert len(fragment) == 44
    assert text[len(prefix) + 3 :].startswith(fragment)


@given(hashes, hashes)
def test_fragments_differ_as_soon_as_credentials_differ_in_the_bits_they_cover(first: bytes, second: bytes) -> None:
    # Bits 10 to 229 of the address are bits 2 to 221 of the credential.
    def covered(content: bytes) -> int:
        return int.from_bytes(content, "big") >> 2 & ((1 << 220) - 1)

    same = payment_fragment(first.hex()) == payment_fragment(second.hex())
    assert same == (covered(first) == covered(second))


@given(st.text() | st.text(printable) | st.text("addr_testk1qpzry9x8gf2tvdw0s3jn54khce6mua7l").map("addr1".__add__))
def test_any_text_gives_an_address(text: str) -> None:
    assert isinstance(read_address(text), Address)


@given(st.integers(5, 102), st.sampled_from("qpzry9x8gf2tvdw0s3jn54khce6mua7l"))
def test_any_changed_character_is_found(place: int, letter: str) -> None:
    changed = TYPE_0[:place] + letter + TYPE_0[place + 1 :]
    assert (changed == TYPE_0) == (read_address(changed).form == "shelley")
