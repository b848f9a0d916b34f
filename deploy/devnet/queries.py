"""What the devnet's node answers about its network and ledger. Pure: a chain's facts in, JSON values out."""

from datetime import datetime
from typing import Any

from deploy.devnet.network import SLOT_MILLISECONDS, SLOTS_PER_BLOCK, VERSION_TEXT, Network, OgmiosVersion
from indexer.chain import ORIGIN, Point, PointOrOrigin, Tip, TipOrOrigin

Json = dict[str, Any]


def _ada(lovelace: int) -> Json:
    return {"ada": {"lovelace": lovelace}}


def shelley_genesis(network: Network) -> Json:
    """The Shelley genesis: magic, k, epoch and slot length are the network's, the rest as on the public testnets."""
    return {
        "era": "shelley",
        "startTime": network.start_text,
        "networkMagic": network.magic,
        "network": network.kind,
        "activeSlotsCoefficient": f"1/{SLOTS_PER_BLOCK}",
        "securityParameter": network.k,
        "epochLength": network.epoch_slots,
        "slotsPerKesPeriod": 129_600,
        "maxKesEvolutions": 62,
        "slotLength": {"milliseconds": SLOT_MILLISECONDS},
        "updateQuorum": 5,
        "maxLovelaceSupply": 45_000_000_000_000_000,
        "initialParameters": {
            "minFeeCoefficient": 44,
            "minFeeConstant": _ada(155_381),
            "minUtxoDepositCoefficient": 0,
            "minUtxoDepositConstant": _ada(1_000_000),
            "maxBlockBodySize": {"bytes": 65_536},
            "maxBlockHeaderSize": {"bytes": 1_100},
            "maxTransactionSize": {"bytes": 16_384},
            "stakeCredentialDeposit": _ada(2_000_000),
            "stakePoolDeposit": _ada(500_000_000),
            "stakePoolRetirementEpochBound": 18,
            "stakePoolPledgeInfluence": "3/10",
            "minStakePoolCost": _ada(340_000_000),
            "monetaryExpansion": "3/1000",
            "treasuryExpansion": "1/5",
            "desiredNumberOfStakePools": 150,
            "federatedBlockProductionRatio": "1/1",
            "extraEntropy": "neutral",
            "version": {"major": 6, "minor": 0},
        },
        "initialDelegates": [],
        "initialFunds": {},
        "initialStakePools": {"stakePools": {}, "delegators": {}},
    }


def era_summaries(network: Network) -> list[Json]:
    """One era from the start: every slot has the same length, so a slot's time is the start plus the slot."""
    return [
        {
            "start": {"time": {"seconds": 0}, "slot": 0, "epoch": 0},
            "parameters": {
                "epochLength": network.epoch_slots,
                "slotLength": {"milliseconds": SLOT_MILLISECONDS},
                "safeZone": network.safe_zone_slots,
            },
        }
    ]


def tip_point(tip: TipOrOrigin) -> PointOrOrigin:
    """The tip without its height, as ``queryNetwork/tip`` shows it."""
    return Point(tip.slot, tip.id) if isinstance(tip, Tip) else ORIGIN


def tip_height(tip: TipOrOrigin) -> int | str:
    return tip.height if isinstance(tip, Tip) else ORIGIN


def epoch(network: Network, tip: TipOrOrigin) -> int:
    return tip.slot // network.epoch_slots if isinstance(tip, Tip) else 0


class Traffic:
    """What the server counts about itself, for ``/health`` and ``/metrics``."""

    def __init__(self, started: datetime) -> None:
        self.started = started
        self.last_tip_update = started
        self.active_connections = 0
        self.total_connections = 0
        self.total_messages = 0
        self.total_unrouted = 0


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def health(network: Network, version: OgmiosVersion, tip: TipOrOrigin, traffic: Traffic, *, synchronized: bool) -> Json:
    """The body of ``GET /health``. Source: ``openapi.yaml``, schema ``Health``."""
    slot = tip.slot if isinstance(tip, Tip) else 0
    return {
        "startTime": _time(traffic.started),
        "lastKnownTip": tip,
        "lastTipUpdate": _time(traffic.last_tip_update),
        "networkSynchronization": 1.0 if synchronized else 0.5,
        "currentEra": "conway",
        "metrics": {
            "runtimeStats": {"maxHeapSize": 0, "currentHeapSize": 0, "cpuTime": 0, "gcCpuTime": 0},
            "activeConnections": traffic.active_connections,
            "totalConnections": traffic.total_connections,
            "sessionDurations": {"max": 0, "mean": 0, "min": 0},
            "totalMessages": traffic.total_messages,
            "totalUnrouted": traffic.total_unrouted,
        },
        "connectionStatus": "connected",
        "currentEpoch": slot // network.epoch_slots,
        "slotInEpoch": slot % network.epoch_slots,
        "version": VERSION_TEXT[version],
        "network": network.name,
    }


def metrics(network: Network, tip: TipOrOrigin, traffic: Traffic, *, synchronized: bool) -> str:
    """The body of ``GET /metrics``, in Prometheus' text format, with Ogmios' own names."""
    slot, height = (tip.slot, tip.height) if isinstance(tip, Tip) else (0, 0)
    values = {
        "ogmios_active_connections gauge": traffic.active_connections,
        "ogmios_connected gauge": 1.0,
        "ogmios_current_epoch gauge": slot // network.epoch_slots,
        "ogmios_network_synchronization gauge": 1.0 if synchronized else 0.5,
        "ogmios_slot_in_epoch gauge": slot % network.epoch_slots,
        "ogmios_tip_block gauge": height,
        "ogmios_tip_slot gauge": slot,
        "ogmios_total_connections counter": traffic.total_connections,
        "ogmios_total_messages counter": traffic.total_messages,
        "ogmios_total_unrouted counter": traffic.total_unrouted,
    }
    return "".join(f"# TYPE {name}\n{name.split()[0]} {value}\n" for name, value in values.items())
