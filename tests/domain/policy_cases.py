"""The golden policies: edges written by hand, then seeded random ones; the relay's tests read the same file."""

import json
from random import Random

from keisan.domain.evidence import Grade
from keisan.domain.fact import Fact, FactName
from keisan.domain.limits import POLICY_CHARACTERS_MAX, POLICY_CLAUSES_MAX
from keisan.domain.policy import CandidateFacts, evaluate_policy, parse_policy

SEED = 20261123
RANDOM_CASES = 260
VALUES: dict[FactName, tuple[str, ...]] = {
    FactName.CHIP: ("nvidia-h20", "ascend-910c", "metax-c550", "cpu-x86-64"),
    FactName.VENDOR: ("NVIDIA", "Huawei", "MetaX", "Cambricon"),
    FactName.DESIGNED_IN: ("CN", "CN-GD", "US", "US-CA", "JP"),
    FactName.FABRICATED_BY: ("TSMC", "SMIC", "Samsung"),
    FactName.FABRICATED_IN: ("TW", "CN-SH", "CN", "KR"),
    FactName.PACKAGED_IN: ("CN", "CN-JS", "TW"),
    FactName.SOFTWARE_STACK: ("CUDA", "CANN", "MXMACA", "Neuware"),
    FactName.ADVISORY: ("CN-CAC-2025-07-31", "X-1"),
    FactName.REGION: ("CN", "CN-SX", "CN-SH", "C", "JP-13", "JP"),
    FactName.SITE: ("019ab000-0006-7000-8000-000000000001", "019ab000-0006-7000-8000-000000000002"),
    FactName.PROVIDER: ("019ab000-0005-7000-8000-000000000001", "019ab000-0005-7000-8000-000000000002"),
    FactName.PLATFORM: ("ab" * 32, "cd" * 32),
}
OWN_RECORDS = frozenset({FactName.CHIP, FactName.REGION, FactName.SITE, FactName.PROVIDER, FactName.PLATFORM})
ASCEND: dict[FactName, Fact] = {
    FactName.CHIP: Fact(("ascend-910c",), Grade.MEASURED),
    FactName.VENDOR: Fact(("Huawei",), Grade.VENDOR),
    FactName.DESIGNED_IN: Fact(("CN-GD",), Grade.TESTED),
    FactName.FABRICATED_BY: Fact(("SMIC", "TSMC"), Grade.PRESS),
    FactName.SOFTWARE_STACK: Fact(("CANN", "MindSpore"), Grade.VENDOR),
    FactName.ADVISORY: Fact((), Grade.HEARSAY),
    FactName.REGION: Fact(("CN-SX",), Grade.MEASURED),
    FactName.PROVIDER: Fact((VALUES[FactName.PROVIDER][0],), Grade.MEASURED),
}
# Policy, age of the attestation of ASCEND, and what must come out: written down, not computed.
EDGES: tuple[tuple[str, int | None, str, str | None], ...] = (
    ("", None, "holds", None),
    (" ;\t; \r\n ;", None, "holds", None),
    ("vendor in Huawei", None, "holds", None),
    ("vendor in huawei", None, "fails", "vendor in huawei"),
    ("vendor in Huawe", None, "fails", "vendor in Huawe"),
    ("  vendor\t in\r\n NVIDIA ,Huawei;", None, "holds", None),
    ("vendor not in NVIDIA", None, "holds", None),
    ("vendor not   in NVIDIA,Huawei", None, "fails", "vendor not in NVIDIA, Huawei"),
    ("vendor in Huawei@A", None, "holds", None),
    ("vendor in Huawei @ B", None, "holds", None),
    ("vendor in Huawei@ M", None, "unknown", "vendor in Huawei @ M"),
    ("vendor in NVIDIA @ M", None, "unknown", "vendor in NVIDIA @ M"),
    ("vendor not in NVIDIA @M", None, "unknown", "vendor not in NVIDIA @ M"),
    ("designed_in in CN", None, "holds", None),
    ("designed_in in CN @ B", None, "holds", None),
    ("designed_in in CN @ A", None, "unknown", "designed_in in CN @ A"),
    ("designed_in in CN-GD", None, "holds", None),
    ("designed_in in CN-G", None, "fails", "designed_in in CN-G"),
    ("designed_in in C", None, "fails", "designed_in in C"),
    ("designed_in in CN-", None, "fails", "designed_in in CN-"),
    ("designed_in not in CN", None, "fails", "designed_in not in CN"),
    ("designed_in not in CN-SH", None, "holds", None),
    ("fabricated_by in SMIC", None, "holds", None),
    ("fabricated_by in TSMC; fabricated_by in SMIC", None, "holds", None),
    ("fabricated_by not in TSMC", None, "fails", "fabricated_by not in TSMC"),
    ("fabricated_by in TSM", None, "fails", "fabricated_by in TSM"),
    ("fabricated_in in CN", None, "unknown", "fabricated_in in CN"),
    ("fabricated_in not in TW", None, "unknown", "fabricated_in not in TW"),
    ("software_stack in CUDA, CANN", None, "holds", None),
    ("software_stack not in CUDA", None, "holds", None),
    ("advisory none", None, "holds", None),
    ("advisory none @ D", None, "holds", None),
    ("advisory none@C", None, "unknown", "advisory none @ C"),
    ("advisory in X-1", None, "fails", "advisory in X-1"),
    ("advisory not in X-1", None, "holds", None),
    ("region in CN", None, "holds", None),
    ("region in CN @ M", None, "holds", None),
    ("region in JP,CN-SX", None, "holds", None),
    ("region in CN-SX-1", None, "fails", "region in CN-SX-1"),
    ("region in CN; region not in CN-SH", None, "holds", None),
    ("region in CN; region not in CN-SX", None, "fails", "region not in CN-SX"),
    # Only places have parts: a chip named so is another chip.
    ("chip in ascend", None, "fails", "chip in ascend"),
    ("site in x", None, "unknown", "site in x"),
    ("attestation_age_s <= 60", 60, "holds", None),
    ("attestation_age_s<=60", 61, "fails", "attestation_age_s <= 60"),
    ("attestation_age_s <= 60", None, "unknown", "attestation_age_s <= 60"),
    ("attestation_age_s <= 0", 0, "holds", None),
    ("attestation_age_s <= 0", -1, "holds", None),
    ("attestation_age_s <= 0060@M", 61, "fails", "attestation_age_s <= 60 @ M"),
    ("attestation_age_s <= 999999999999999999 @ A", 10**17, "holds", None),
    ("chip in in, not, none", None, "fails", "chip in in, not, none"),
    ("chip not in in", None, "holds", None),
    ("vendor in Huawei; fabricated_in in CN; region in JP", None, "unknown", "fabricated_in in CN"),
    ("vendor in Huawei; region in JP; fabricated_in in CN", None, "fails", "region in JP"),
    ("provider in " + VALUES[FactName.PROVIDER][0], None, "holds", None),
    (
        "vendor in " + "x" * (POLICY_CHARACTERS_MAX - 10),
        None,
        "fails",
        "vendor in " + "x" * (POLICY_CHARACTERS_MAX - 10),
    ),
    (";".join(["region in CN"] * POLICY_CLAUSES_MAX), None, "holds", None),
    (";" * POLICY_CHARACTERS_MAX, None, "holds", None),
)
INVALID = (
    "x",
    "chip",
    "chip in",
    "chip in ,a",
    "chip in a,",
    "chip in a,,b",
    "chip in a b",
    "chip ina",
    "chipin a",
    "chip notin a",
    "chip not a",
    "chip in a chip in b",
    "chip in a, chip in b",
    "chip = a",
    "chip == a",
    "chip <= 5",
    "chip none",
    "vendor none @ A",
    "Chip in a",
    "chip IN a",
    "colour in red",
    "model in a",
    "in in a",
    "advisory",
    "advisory none none",
    "advisory none a",
    "advisory not none",
    "advisory none, a",
    "advisorynone",
    "attestation_age_s in 5",
    "attestation_age_s not in 5",
    "attestation_age_s none",
    "attestation_age_s < 5",
    "attestation_age_s <= ",
    "attestation_age_s <= -5",
    "attestation_age_s <= +5",
    "attestation_age_s <= 5.0",
    "attestation_age_s <= 5s",
    "attestation_age_s <= 1000000000000000000",
    "attestation_age_s < = 5",
    "attestation_age_s <= 1 2",
    "attestation_age_s <= \u0665",
    "chip in a @",
    "chip in a @ E",
    "chip in a @ b",
    "chip in a @ AB",
    "chip in a @ A B",
    "chip in a @ A @ A",
    "@ A",
    "chip @ A in a",
    "chip in a*",
    "chip in 'a'",
    "chip in (a, b)",
    "chip in \u00e9",
    "chip in \u8a08\u7b97",
    "chip in a\x00",
    "chip\u00a0in a",
    "chip in\u3000a",
    "chip\x0bin a",
    "chip\x0cin a",
    "chip\x1cin a",
    "chip in a\x85",
    "\ufeffchip in a",
    "chip in a; x",
    "x; chip in a",
    ";".join(["region in CN"] * (POLICY_CLAUSES_MAX + 1)),
    "vendor in " + "x" * (POLICY_CHARACTERS_MAX - 9),
    ";" * (POLICY_CHARACTERS_MAX + 1),
    " " * (POLICY_CHARACTERS_MAX + 1),
)


def build_golden() -> dict[str, object]:
    """Return what tests/golden/policies.json holds."""
    random = Random(SEED)  # reproducible, guards nothing
    cases = [build_case(text, ASCEND, age_s) for text, age_s, _, _ in EDGES]
    cases += [_draw_case(random) for _ in range(RANDOM_CASES)]
    return {"cases": cases, "invalid": list(INVALID)}


def build_case(text: str, known: dict[FactName, Fact], age_s: int | None) -> dict[str, object]:
    """Return one case with what comes out of it."""
    decision = evaluate_policy(parse_policy(text), CandidateFacts(known, age_s))
    facts = {str(name): {"values": list(fact.values), "grade": str(fact.grade)} for name, fact in known.items()}
    return {
        "policy": text,
        "facts": facts,
        "attestation_age_s": age_s,
        "verdict": str(decision.outcome),
        "clause": None if decision.clause is None else str(decision.clause),
    }


def format_golden() -> str:
    """Return the file's text: one case a line, so that a difference is readable."""
    golden = build_golden()
    lists = []
    for name, entries in golden.items():
        assert isinstance(entries, list)
        lines = ",\n".join(f"    {json.dumps(entry)}" for entry in entries)
        lists.append(f'  "{name}": [\n{lines}\n  ]')
    return "{\n" + ",\n".join(lists) + "\n}\n"


def _draw_case(random: Random) -> dict[str, object]:
    known = {name: _draw_fact(random, name) for name in VALUES if random.random() < 0.85}
    age_s = random.choice([None, 0, 59, 60, 61, 10**6])
    clauses = [_draw_clause(random, known) for _ in range(random.randint(1, 4))]
    return build_case(random.choice([";", "; ", " ; ", ";;", ";\n"]).join(clauses), known, age_s)


def _draw_fact(random: Random, name: FactName) -> Fact:
    is_list = name in (FactName.SOFTWARE_STACK, FactName.ADVISORY, FactName.FABRICATED_BY)
    count = random.choice([0, 1, 2]) if is_list else 1
    grade = Grade.MEASURED if name in OWN_RECORDS else random.choice(list(Grade))
    return Fact(tuple(random.sample(VALUES[name], count)), grade)


def _draw_clause(random: Random, known: dict[FactName, Fact]) -> str:
    """Return a clause that holds more often than not, so that the later ones of a policy are looked at too."""
    space = random.choice([" ", "  ", "\t", " \r\n "])
    grade = random.choice(["", "", "", " @ D", "@C", f"{space}@{space}B", "@A", "@M"])
    if random.random() < 0.1:
        return f"attestation_age_s{random.choice(['', space])}<={random.choice(['', space])}{random.choice([0, 60])}{grade}"
    name = random.choice(list(VALUES))
    fact = known.get(name)
    if name is FactName.ADVISORY and random.random() < 0.5:
        return f"advisory{space}none{grade}"
    operator = random.choice(["in", f"not{space}in"])
    values = random.sample(VALUES[name], random.randint(1, min(3, len(VALUES[name]))))
    if fact is not None and random.random() < 0.6:
        others = [value for value in VALUES[name] if value not in fact.values and value.partition("-")[0] != "CN"]
        values = [*fact.values] if operator == "in" else others
        values = values or list(VALUES[name])
    comma = random.choice([",", ", ", " , ", f"{space},{space}"])
    return f"{name}{space}{operator}{space}{comma.join(values)}{grade}"
