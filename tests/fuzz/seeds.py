"""What a fuzzer begins with: honest inputs, and those that are known to be nasty."""

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from consumers.audit.collect import collect
from consumers.audit.container import read_container
from consumers.audit.manifest import MANIFEST, SEAL
from consumers.audit.pack import pack_of
from deploy.devnet.deployment import Terms, profile_toml
from deploy.devnet.network import Network
from indexer.protocol.plutus import Constr
from projections.rules.thresholds import ThresholdBook
from tests.indexer import build
from tests.indexer.build import BATTERY
from tests.projections.chain import TestChain
from tests.projections.judged_chain import DevnetLife
from tests.projections.verdicts.devnet import profile

DEEP: Final = 4_000
_READING: Final = build.payload(BATTERY.id, b"c" * 32)

WORDS_OF_FRAMES: Final = (
    *(b'"jsonrpc"', b'"result"', b'"error"', b'"direction"', b'"forward"', b'"backward"', b'"block"', b'"tip"'),
    *(b'"transactions"', b'"redeemers"', b'"datum"', b'"ancestor"', b'"intersection"', b'"praos"', b'"ebb"', b"1e999"),
)
WORDS_OF_PROFILES: Final = (
    b"name",
    b"network_magic",
    b"commitment_policy",
    b"reporting_script",
    b'"""',
    b"[models.",
    b"=",
)


def items() -> list[bytes]:
    nested = [b"\x81" * DEEP, b"\xa1" * DEEP, b"\xc2" * DEEP, b"\x9f" * DEEP, b"\xd8\x79" * DEEP]
    sizes = [b"\x9b" + b"\xff" * 8, b"\xbb" + b"\xff" * 8, b"\x5b" + b"\xff" * 8, b"\xc2\x59\x0f\xff" + b"\xff" * 0xFFF]
    shared = [b"\xd8\x1c\x81\xd8\x1d\x00", b"\xd9\x01\x00\x80"]
    return [*nested, *sizes, *shared, _READING, *datums()]


def datums() -> list[bytes]:
    plain = [build.reporting_datum(), build.commitment_datum(), build.passport_datum(), build.reclaim_redeemer()]
    huge = build.plutus(Constr(0, tuple(10**400 for _ in range(8))))
    return [*plain, build.reporting_datum(definite=True), build.submit_redeemer(build.cose_sign1(_READING)), huge]


def messages() -> list[bytes]:
    untagged = build.cose_sign1(_READING, tagged=False)
    algorithms = [build.cose_sign1(_READING, each) for each in (-7, -8, -47, "ES256", None, 1 << 70)]
    return [untagged, *algorithms, build.cose_sign1(None), build.submit_redeemer(untagged), untagged.hex().encode()]


def payloads() -> list[bytes]:
    changed = [{1: 1 << 64}, {1: -1}, {2: "x"}, {9: [3_700] * 200}, {3: 1.5}]
    draft = json.dumps({"battery_id": BATTERY.id.decode(), "counter": 1, "state": {"soh": 98.5}}).encode()
    return [_READING, draft, *(build.payload(BATTERY.id, b"c" * 32, state=each) for each in changed)]


def transactions() -> list[bytes]:
    by_kind = [messages(), datums(), datums(), datums(), datums(), [bytes.fromhex(BATTERY.reference_token)]]
    return [bytes((kind,)) + each for kind, group in enumerate(by_kind) for each in group]


def frames() -> list[bytes]:
    block = {
        "type": "praos",
        "id": "a" * 64,
        "ancestor": "b" * 64,
        "height": 5,
        "slot": 100,
        "transactions": [
            {
                "id": "c" * 64,
                "spends": "inputs",
                "inputs": [{"transaction": {"id": "d" * 64}, "index": 0}],
                "outputs": [
                    {
                        "address": build.script(build.PROFILE.reporting_script),
                        "value": {"ada": {"lovelace": 2_000_000}, build.PROFILE.passport_policy: {BATTERY.key: 1}},
                        "datum": build.reporting_datum().hex(),
                    }
                ],
                "mint": {build.PROFILE.passport_policy: {BATTERY.key: 1}},
                "redeemers": [
                    {"validator": {"purpose": "spend", "index": 0}, "redeemer": build.submit_redeemer(b"x" * 70).hex()}
                ],
            }
        ],
    }
    tip = {"slot": 100, "id": "a" * 64, "height": 5}
    forward = {"jsonrpc": "2.0", "method": "nextBlock", "result": {"direction": "forward", "block": block, "tip": tip}}
    backward = {"jsonrpc": "2.0", "result": {"direction": "backward", "point": "origin", "tip": "origin"}}
    refused = {"jsonrpc": "2.0", "error": {"code": 1_000, "message": "no", "data": {"tip": "origin"}}}
    met = {"jsonrpc": "2.0", "result": {"intersection": {"slot": 1, "id": "a" * 64}, "tip": tip}}
    deep = b"[" * 1_200 + b"]" * 1_200  # more than a parser's recursion takes
    nested = [b'{"result":' + deep + b"}", b'{"error":{"code":1000,"message":"","data":' + deep + b"}}"]
    return [*(json.dumps(each).encode() for each in (forward, backward, refused, met)), *nested, b'{"x":' + deep + b"}"]


def eras() -> list[bytes]:
    def era(seconds: float, slot: int, end: int | None) -> dict[str, object]:
        parameters = {"epochLength": 21_600, "slotLength": {"milliseconds": 1_000}}
        start = {"time": {"seconds": seconds}, "slot": slot, "epoch": 0}
        return {
            "start": start,
            "end": end and {"time": {"seconds": end}, "slot": end, "epoch": 5},
            "parameters": parameters,
        }

    start = b'"2022-10-25T00:00:00Z"\n'
    sound = json.dumps([era(0, 0, 4_320), era(86_400, 4_320, None)]).encode()
    return [start + sound, start + b"[]", start + sound.replace(b"1000", b"1e308"), start + b"[" * DEEP]


def profiles() -> list[bytes]:
    sound = profile_toml(Network(), Terms()).encode()
    return [
        sound,
        sound.replace(b'"', b"'"),
        b"[models.x]\nsoh_max_bp = 1\n",
        b"a = " + b"[" * DEEP,
        b"a." * 200 + b"b=1",
    ]


def addresses() -> list[bytes]:
    plain = [
        build.address(build.USER),
        build.script(build.PROFILE.reporting_script),
        build.address(build.USER, stake=build.USER),
    ]
    return [
        *(each.encode() for each in plain),
        b"addr_test1",
        b"DdzFFzCqrhsw3prhfMFDNFowbzUku3QmrMwarfjUbWXRisodn97R436SHc1rimp4MhPNmbdYb1aTdqtGSJixMVMi5MkArDQJ6Sc1n3Ez",
    ]


@cache
def pack() -> bytes:
    """A sound one, of a chain that forks."""
    with TemporaryDirectory(prefix="cellwitness-fuzz-") as folder:
        chain = TestChain(Path(folder) / "log.db", DevnetLife(1, 3))
        for _ in range(4):
            chain.forward(chain.make(3))
        chain.back(2)
        chain.forward(chain.make(3))
        end = chain.log.end()
        assert end is not None
        keys = [record.key for record in chain.log.read(0, 0, 1_000).records if record.type.startswith("reading")]
        made = pack_of(collect(chain.log, profile(), ThresholdBook(), keys[0], step=end.spine.step))
        chain.close()
    return made


def parts() -> list[bytes]:
    """Of that pack, each behind the byte that says which."""
    names = sorted(name for name in read_container(pack()) if name not in (MANIFEST, SEAL))
    return [bytes((which,)) + read_container(pack())[name] for which, name in enumerate(names)]


def questions() -> list[bytes]:
    examples = [
        "as_of_slot=1000&finality=confirmed",
        "as_of_step=5",
        "known_at=2026-05-03T14:02:00Z",
        "known_at=2026-05-03T14:02:00+23:59&as_of_slot=18446744073709551616",
        "battery=urn%3Aeudpp%3Abattery%3Ademo%3A0001&limit=10",
        "battery=%00&limit=-1",
        "model=LFP-16S280&days=1e9&deployment=demo",
        "W10",
        "WzEsImEiXQ",
    ]
    return [each.encode() for each in examples]
