"""The link's protocol: everything arrives once, whatever was cut, forked or restored, and a neighbour that breaks it is cut off."""

from dataclasses import replace
from uuid import uuid4

import pytest

from keisan.domain.limits import (
    GRANT_EPOCH_JUMP_MAX,
    LINK_LOG_SHARE_PERCENT,
    LINK_PING_MS,
    LINK_SILENCE_MS_MAX,
    LINK_WINDOW_BYTES,
)
from keisan.domain.link_log import LinkLog
from keisan.domain.register import RegisterKey, find_bucket
from keisan.federation.effect import Alarm, Answered, Asked, Close, NoteEpoch, NoteOffset, OpenIncarnation, Send
from keisan.federation.link import LinkMachine, LinkOwn, LinkStart
from keisan.federation.register_sending import describe_line
from keisan.wire.letter import encode_letter
from keisan.wire.link import (
    Ack,
    Answer,
    Ask,
    Bye,
    Fork,
    Hello,
    Items,
    Lines,
    LinkMessage,
    Merged,
    Ping,
    Pong,
    Regained,
    Registers,
    Want,
    decode_message,
    encode_message,
)
from tests.federation.link_pair import Pair, Side, copy_disk, describe, list_bodies

LEDGER = LinkLog.LEDGER
HELD_UP_MS = 60_000


@pytest.fixture
def pair() -> Pair:
    return Pair()


def list_closed(side: Side) -> list[str]:
    return [effect.code for effect in side.seen if isinstance(effect, Close)]


def take(side: Side) -> list[bytes]:
    return list_bodies(side.disk.received[LEDGER])


def test_letters_written_before_and_after_the_meeting_arrive_in_order_and_once(pair: Pair) -> None:
    pair.child.write(b"1", b"2", b"3", b"4", b"5")
    pair.meet()
    pair.child.write(b"6")
    pair.parent.write(b"a")
    pair.exchange()
    pair.meet()
    assert take(pair.parent) == [b"1", b"2", b"3", b"4", b"5", b"6"]
    assert take(pair.child) == [b"a"]
    assert not any(isinstance(effect, OpenIncarnation) for effect in (*pair.child.seen, *pair.parent.seen))


def test_a_cut_after_any_message_loses_and_doubles_nothing() -> None:
    for cut in range(40):
        pair = Pair()
        pair.child.write(*(bytes([each]) for each in range(10)))
        pair.child.put("x", 1)
        pair.connect()
        for _ in range(cut):
            for sender, receiver in ((pair.child, pair.parent), (pair.parent, pair.child)):
                if sender.sent:
                    receiver.run(receiver.speaking.receive(sender.sent.popleft(), pair.now))
        pair.meet()
        assert take(pair.parent) == [bytes([each]) for each in range(10)]
        assert pair.parent.disk.held == pair.child.disk.registers


def test_a_sender_restored_from_an_old_disk_gets_back_what_it_signed_and_goes_on(pair: Pair) -> None:
    pair.child.write(b"1", b"2")
    pair.meet()
    old = copy_disk(pair.child)
    pair.child.write(b"3", b"4", b"5")
    pair.exchange()
    pair.child.disk = old
    pair.child.machine = None
    pair.child.write(b"6")
    pair.meet()
    assert take(pair.parent) == [b"1", b"2", b"3", b"4", b"5", b"6"]
    assert list_bodies(pair.child.disk.regained) == [b"1", b"2", b"3", b"4", b"5"]
    assert any(isinstance(effect, OpenIncarnation) for effect in pair.child.seen)
    pair.meet()
    assert pair.parent.disk.cursors[LEDGER].incarnation == pair.child.disk.logs[LEDGER].incarnation


def test_a_receiver_restored_from_an_old_disk_gets_everything_again(pair: Pair) -> None:
    pair.child.write(b"1")
    pair.meet()
    old = copy_disk(pair.parent)
    pair.child.write(b"2", b"3")
    pair.exchange()
    pair.parent.disk = old
    pair.meet()
    assert take(pair.parent) == [b"1", b"2", b"3"]


def test_a_receiver_that_has_lost_all_gets_what_is_kept_and_people_are_told_of_the_rest(pair: Pair) -> None:
    pair.child.write(b"1", b"2", b"3")
    pair.meet()
    pair.child.disk.logs[LEDGER].trimmed = 2
    fresh = Pair()
    pair.parent.disk = fresh.parent.disk
    pair.meet()
    assert take(pair.parent) == [b"3"]
    assert [effect.code for effect in pair.child.seen if isinstance(effect, Alarm)] == ["log_gap"]
    pair.meet()
    assert take(pair.parent) == [b"3"]


def test_a_receiver_behind_what_is_kept_is_told_of_a_gap(pair: Pair) -> None:
    pair.child.write(b"1")
    pair.meet()
    old = copy_disk(pair.parent)
    pair.child.write(b"2", b"3")
    pair.exchange()
    pair.child.disk.logs[LEDGER].trimmed = 2
    pair.parent.disk = old
    pair.meet()
    assert take(pair.parent) == [b"1", b"3"]
    assert [effect.code for effect in pair.child.seen if isinstance(effect, Alarm)] == ["log_gap"]


def test_a_trimmed_log_goes_on_where_the_receiver_is(pair: Pair) -> None:
    pair.child.write(b"1", b"2")
    pair.meet()
    pair.child.disk.logs[LEDGER].trimmed = 2
    pair.child.write(b"3")
    pair.meet()
    assert take(pair.parent) == [b"1", b"2", b"3"]
    assert not any(isinstance(effect, OpenIncarnation) for effect in pair.child.seen)


def test_a_sender_that_has_lost_its_whole_log_gets_it_back(pair: Pair) -> None:
    pair.child.write(b"1", b"2")
    pair.meet()
    pair.child.disk.logs.clear()
    pair.meet()
    assert list_bodies(pair.child.disk.regained) == [b"1", b"2"]
    pair.child.write(b"3")
    pair.exchange()
    assert take(pair.parent) == [b"1", b"2", b"3"]


def test_another_incarnation_that_was_trimmed_is_begun_anew(pair: Pair) -> None:
    pair.child.write(b"1", b"2", b"3")
    pair.meet()
    pair.child.disk.logs[LEDGER].reopen()
    pair.child.disk.logs[LEDGER].trimmed = 1
    pair.meet()
    assert take(pair.parent) == [b"1", b"2", b"3"]
    assert not any(isinstance(effect, Alarm) for effect in pair.child.seen)


def test_a_cut_while_letters_are_returned_begins_again(pair: Pair) -> None:
    pair.child.write(*(bytes([each]) for each in range(6)))
    pair.meet()
    pair.child.disk.logs[LEDGER].reopen()
    for cut in range(8):
        pair.connect()
        for _ in range(cut):
            for sender, receiver in ((pair.child, pair.parent), (pair.parent, pair.child)):
                if sender.sent:
                    receiver.run(receiver.speaking.receive(sender.sent.popleft(), pair.now))
    pair.meet()
    assert take(pair.parent) == [bytes([each]) for each in range(6)]


def test_only_the_newest_of_a_register_travels(pair: Pair) -> None:
    pair.meet()
    for version in range(1, 200):
        pair.child.put("x", version, bytes(100_000))
    pair.child.put("y", 1)
    pair.exchange()
    assert pair.parent.disk.held == pair.child.disk.registers
    merged = [effect for effect in pair.parent.seen if type(effect).__name__ == "MergeLetters"]
    # What a window holds, and the newest after it.
    assert len(merged) < 30


def test_registers_that_differ_when_they_meet_are_made_equal(pair: Pair) -> None:
    for each in range(600):
        pair.child.put(str(each), 1)
    pair.meet()
    pair.child.machine = None
    for each in range(0, 600, 7):
        pair.child.put(str(each), 2)
    pair.child.put("new", 1)
    before = len(pair.child.seen)
    pair.meet()
    assert pair.parent.disk.held == pair.child.disk.registers
    assert len(pair.child.seen) - before < 600


def test_a_writer_that_has_lost_a_register_gets_its_own_word_back(pair: Pair) -> None:
    pair.child.put("x", 5, b"five")
    pair.child.put("y", 1)
    pair.meet()
    whole = dict(pair.child.disk.registers)
    pair.child.disk.registers.clear()
    pair.child.machine = None
    pair.child.put("x", 4, b"four")
    pair.meet()
    assert pair.child.disk.registers == whole == pair.parent.disk.held


def test_a_register_that_is_kept_after_all_is_not_asked_for_again(pair: Pair) -> None:
    pair.meet()
    letter = pair.child.make(b"late", "x", 1)
    key = RegisterKey(pair.child.id, letter.kind, "x")
    line = describe(key, encode_letter(letter))
    listed = Lines(bucket=find_bucket(key), lines=(describe_line(line),))

    def ask_parent() -> list[LinkMessage | None]:
        effects = pair.parent.speaking.receive(encode_message(listed), pair.now)
        return [decode_message(effect.data) for effect in effects if isinstance(effect, Send)]

    assert ask_parent() == [Want(bucket=listed.bucket, lines=listed.lines)]
    pair.parent.speaking.note_held([line])
    assert ask_parent() == [Want(bucket=listed.bucket, lines=())]


def test_a_side_knows_how_far_the_other_has_applied_its_logs(pair: Pair) -> None:
    pair.child.write(b"1", b"2")
    pair.connect()
    assert pair.child.speaking.list_acknowledged() == {}
    pair.exchange()
    assert pair.child.speaking.list_acknowledged() == {LEDGER: 2}
    assert pair.parent.speaking.list_acknowledged() == {}


def test_a_log_has_its_share_while_state_changes_all_the_time(pair: Pair) -> None:
    pair.meet()
    for each in range(400):
        pair.child.put(str(each), 1, bytes(100_000))
    pair.child.write(*(bytes(50_000) for _ in range(40)))
    rounds = 0
    while len(take(pair.parent)) < 40:
        rounds += 1
        assert rounds < 2_000
        pair.child.put(str(rounds % 400), 1 + rounds, bytes(100_000))
        for sender, receiver in ((pair.child, pair.parent), (pair.parent, pair.child)):
            if sender.sent:
                receiver.run(receiver.speaking.receive(sender.sent.popleft(), pair.now))
    # 40 letters of 50,000 bytes at a fifth of the link are 100 messages of state, and what was under way before.
    assert rounds < 250


def test_what_is_under_way_of_logs_leaves_most_of_the_window_to_state(pair: Pair) -> None:
    pair.child.write(*(bytes(100_000) for _ in range(30)))
    pair.connect()
    # The parent has not answered anything yet.
    pair.child.run(pair.child.speaking.receive(pair.parent.sent.popleft(), pair.now))
    waiting = sum(len(data) for data in pair.child.sent)
    assert LINK_WINDOW_BYTES * LINK_LOG_SHARE_PERCENT // 100 <= waiting < LINK_WINDOW_BYTES // 3
    pair.exchange()
    assert len(take(pair.parent)) == 30


def test_silence_ends_the_connection_and_pings_keep_it(pair: Pair) -> None:
    pair.meet()
    for _ in range(5):
        pair.pass_time(LINK_PING_MS)
        assert pair.child.speaking.next_tick_ms <= pair.now.monotonic_ms
        pair.child.run(pair.child.speaking.tick(pair.now))
        pair.exchange()
    assert any(effect == NoteOffset(0, 0) for effect in pair.child.seen)
    assert list_closed(pair.child) == []
    heard_ms = pair.now.monotonic_ms
    while not list_closed(pair.child):
        pair.pass_time(pair.child.speaking.next_tick_ms - pair.now.monotonic_ms)
        pair.child.run(pair.child.speaking.tick(pair.now))
    assert list_closed(pair.child) == ["silent"]
    assert pair.now.monotonic_ms - heard_ms == LINK_SILENCE_MS_MAX
    assert pair.child.speaking.tick(pair.now) == []
    assert pair.child.speaking.close("again", "") == []


def test_a_side_that_was_held_up_takes_in_what_came_meanwhile_before_it_judges(pair: Pair) -> None:
    pair.meet()
    for _ in range(9):
        pair.pass_time(LINK_PING_MS)
        pair.parent.run(pair.parent.speaking.tick(pair.now))
        pair.pass_time(HELD_UP_MS)
        pair.child.run(pair.child.speaking.tick(pair.now))
        pair.exchange()
    assert list_closed(pair.child) == []


def test_a_side_that_is_held_up_again_and_again_keeps_no_silent_neighbour(pair: Pair) -> None:
    pair.meet()
    for _ in range(1 + LINK_SILENCE_MS_MAX // LINK_PING_MS):
        assert list_closed(pair.child) == []
        pair.pass_time(HELD_UP_MS)
        pair.child.run(pair.child.speaking.tick(pair.now))
    assert list_closed(pair.child) == ["silent"]


def test_nothing_is_sent_between_pings(pair: Pair) -> None:
    pair.meet()
    pair.pass_time(LINK_PING_MS - 1)
    assert pair.child.speaking.tick(pair.now) == []


def test_clocks_that_differ_are_seen(pair: Pair) -> None:
    pair.meet()
    ping = Ping(sent_ms=pair.now.wall_ms)
    pair.pass_time(40)
    pong = pair.parent.speaking.receive(encode_message(ping), pair.now._replace(wall_ms=pair.now.wall_ms + 60_000))
    pair.pass_time(60)
    assert isinstance(pong[0], Send)
    assert pair.child.speaking.receive(pong[0].data, pair.now) == [NoteOffset(60_000 - 10, 100)]


def test_a_question_is_answered_once(pair: Pair) -> None:
    pair.meet()
    pair.parent.answer = lambda asked: ("refused", asked.subject.encode())
    pair.child.run(pair.child.speaking.ask("certify", b"x"))
    pair.exchange()
    assert [effect for effect in pair.child.seen if isinstance(effect, Answered)] == [
        Answered(1, "refused", b"certify")
    ]
    assert [effect for effect in pair.parent.seen if isinstance(effect, Asked)] == [Asked(1, "certify", b"x")]


def test_a_child_ahead_of_its_parent_s_epoch_is_believed(pair: Pair) -> None:
    pair.child.disk.epoch = 7
    pair.meet()
    assert pair.parent.disk.epoch == 7
    assert pair.parent.closed is None
    assert pair.child.closed is None


def test_a_child_with_an_old_epoch_is_refused_and_begins_a_new_one(pair: Pair) -> None:
    pair.parent.disk.epoch = 7
    pair.meet()
    assert pair.parent.closed is not None
    assert pair.parent.closed.code == "old_epoch"
    assert NoteEpoch(8) in pair.child.seen
    pair.meet()
    assert (pair.parent.disk.epoch, pair.child.disk.epoch) == (8, 8)
    assert pair.parent.closed is None


def test_an_epoch_that_no_old_disk_explains_is_believed_by_nobody(pair: Pair) -> None:
    for side in (pair.child, pair.parent):
        own, other = pair.child.disk, pair.parent.disk
        own.epoch = other.epoch = 1
        side.disk.epoch = 2 + GRANT_EPOCH_JUMP_MAX
        pair.meet()
        codes = {each.closed.code for each in (pair.child, pair.parent) if each.closed is not None}
        assert "wrong_epoch" in codes
        assert not any(isinstance(effect, NoteEpoch) for each in (pair.child, pair.parent) for effect in each.seen)


def test_a_clock_that_is_a_century_away_is_none(pair: Pair) -> None:
    for now_ms in (2**63 - 1, -(2**63)):
        pair.meet()
        assert hear(pair, Pong(sent_ms=pair.now.wall_ms, now_ms=now_ms)) == "wrong_clock"


def hear(pair: Pair, message: LinkMessage | bytes) -> str | None:
    data = message if isinstance(message, bytes) else encode_message(message)
    pair.parent.run(pair.parent.speaking.receive(data, pair.now))
    return pair.parent.closed.code if pair.parent.closed else None


def say_hello(pair: Pair) -> Hello:
    pair.connect()
    hello = decode_message(pair.child.sent[0])
    assert isinstance(hello, Hello)
    return hello


def test_who_does_not_begin_with_a_hello_of_its_own_is_cut_off(pair: Pair) -> None:
    hello = say_hello(pair)
    changed: dict[str, dict[str, object]] = {
        "wrong_platform": {"platform_id": "somebody"},
        "wrong_version": {"major": 2},
        "wrong_buckets": {"buckets": (1, 2)},
    }
    for code, fields in changed.items():
        pair.connect()
        assert (
            hear(pair, Hello(**{**{name: getattr(hello, name) for name in hello.__struct_fields__}, **fields})) == code
        )
    pair.connect()
    assert hear(pair, Ping(sent_ms=1)) == "no_hello"
    assert pair.parent.speaking.receive(encode_message(hello), pair.now) == []
    pair.meet()
    assert hear(pair, hello) == "second_hello"
    pair.meet()
    assert hear(pair, b"\xff") == "invalid_input"


def build_items(pair: Pair, **changes: object) -> Items:
    log = pair.child.disk.logs[LEDGER]
    given: dict[str, object] = {
        "log": "ledger",
        "incarnation": log.incarnation,
        "first_sequence": len(log.letters) + 1,
        "letters": (b"x",),
        "hash": bytes(32),
        **changes,
    }
    return Items(**given)  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("wrong_hash", {}),
        ("log_hole", {"first_sequence": 9}),
        ("wrong_incarnation", {"incarnation": uuid4()}),
        ("wrong_batch", {"letters": ()}),
        ("wrong_batch", {"letters": (b"",) * 513}),
        ("unknown_log", {"log": "song"}),
    ],
)
def test_items_that_do_not_follow_are_refused(pair: Pair, code: str, changes: dict[str, object]) -> None:
    pair.child.write(b"1")
    pair.meet()
    assert hear(pair, build_items(pair, **changes)) == code
    assert take(pair.parent) == [b"1"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("wrong_answer", Merged(number=4)),
        ("wrong_answer", Want(bucket=4, lines=())),
        ("wrong_answer", Answer(number=4, code="", body=b"")),
        ("wrong_answer", Regained(log="ledger", number=1)),
        ("wrong_buckets", Lines(bucket=256, lines=())),
        ("wrong_batch", Registers(number=1, letters=(b"",) * 513)),
    ],
)
def test_answers_to_what_nobody_asked_are_refused(pair: Pair, code: str, message: LinkMessage) -> None:
    pair.meet()
    assert hear(pair, message) == code


def test_acknowledging_what_was_never_sent_is_refused(pair: Pair) -> None:
    pair.parent.write(b"1")
    pair.meet()
    incarnation = pair.parent.disk.logs[LEDGER].incarnation
    assert hear(pair, Ack(log="ledger", incarnation=uuid4(), sequence=5)) is None
    assert hear(pair, Ack(log="ledger", incarnation=incarnation, sequence=2)) == "wrong_ack"


def test_too_many_questions_are_refused(pair: Pair) -> None:
    pair.meet()
    machine = pair.parent.speaking
    for number in range(1, 65):
        machine.receive(encode_message(Ask(number=number, subject="s", body=b"")), pair.now)
    assert hear(pair, Ask(number=65, subject="s", body=b"")) == "flood"
    assert machine.answer(1, "", b"") == []


def test_kinds_of_a_newer_platform_are_passed_over_and_a_goodbye_is_heard(pair: Pair) -> None:
    pair.meet()
    assert hear(pair, b"\x92\xa4song\x80") is None
    assert pair.parent.speaking.passed_over == 1
    assert hear(pair, Bye(code="leaving", text="so long")) == "leaving"
    assert pair.parent.speaking.close("leaving", "") == []


def test_a_fork_while_items_are_under_way_is_refused(pair: Pair) -> None:
    pair.child.write(b"1")
    pair.connect()
    hello = decode_message(pair.child.sent.popleft())
    assert isinstance(hello, Hello)
    machine = pair.parent.speaking
    machine.receive(encode_message(hello), pair.now)
    log = pair.child.disk.logs[LEDGER]
    items = Items(
        log="ledger", incarnation=log.incarnation, first_sequence=1, letters=(log.letters[0],), hash=log.hashes[1]
    )
    machine.receive(encode_message(items), pair.now)
    effects = machine.receive(encode_message(Fork(log="ledger", end=hello.ends["ledger"])), pair.now)
    assert [effect.code for effect in effects if isinstance(effect, Close)] == ["wrong_fork"]


def test_a_side_speaks_the_older_minor_version_of_the_two(pair: Pair) -> None:
    hello = say_hello(pair)
    hear(pair, hello)
    assert pair.parent.speaking.minor == hello.minor
    own = LinkOwn(pair.parent.id, pair.child.id, is_child=False, epoch=1, release="new", minor=5)
    machine = LinkMachine(own, LinkStart({}, {}, (), ()))
    machine.receive(encode_message(hello), pair.now)
    assert machine.minor == hello.minor
    assert replace(own, minor=3).minor == 3
