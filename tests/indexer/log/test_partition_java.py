import subprocess
from pathlib import Path
from random import Random

from deploy.kafka.jars import classpath, java
from indexer.log.partition import murmur2, partition_of

SOURCE = Path(__file__).parent / "java" / "Partitions.java"
COUNTS = (1, 2, 3, 7, 12, 16, 50, 1_000, 2_147_483_647)


def of_java(asked: list[tuple[bytes, int]]) -> list[tuple[int, int]]:
    """What the Java client's own classes, of the broker's jars, answer. Needs a JDK: it compiles as it starts."""
    lines = "".join(f"{key.hex()} {count}\n" for key, count in asked)
    command = [java(), "-cp", classpath(), str(SOURCE)]
    ran = subprocess.run(command, input=lines, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"Java could not answer (a JDK is needed, not only a JRE): {ran.stderr[-2000:]}"
    answers = [line.split() for line in ran.stdout.splitlines()]
    return [(int(hashed), int(partition)) for hashed, partition in answers]


def test_keys_hash_and_go_where_javas_own_client_puts_them() -> None:
    random = Random(2)
    keys = [random.randbytes(28).hex().encode() for _ in range(4_000)]  # battery keys, as the log writes them
    keys += [bytes(length) for length in range(70)] + [b"\xff" * length for length in range(70)]
    keys += [random.randbytes(random.randint(0, 300)) for _ in range(4_000)]
    keys += ["schlüssel".encode(), "鍵".encode() * 9, random.randbytes(100_001)]
    asked = [(key, COUNTS[place % len(COUNTS)]) for place, key in enumerate(keys)]
    answers = of_java(asked)
    assert len(answers) == len(asked) > 8_000
    assert [murmur2(key) for key in keys] == [hashed for hashed, _ in answers]
    assert any(hashed < 0 for hashed, _ in answers)
    for (key, count), (_, partition) in zip(asked, answers, strict=True):
        try:
            text = key.decode()
        except UnicodeDecodeError:  # our keys are text; its hash was compared above
            continue
        assert partition_of(text, count) == partition
