"""Who may speak for whom: keys follow from ids, places in the tree from parents, and nobody vouches beyond what is below it."""

import pytest

from keisan.domain.errors import InvalidInput, PermissionDenied
from keisan.domain.letter import Letter
from keisan.domain.link import LinkState
from keisan.federation.key_book import KeyBook, build_key_book, check_letter, order_for_book
from keisan.kit.clock import to_milliseconds
from keisan.wire.name import NameBody, encode_body, encode_key_chain
from tests.federation.tree import NOW, Person, make_signer


class Nation:
    """cn, below it sx and hb, below sx the city ty; each with what it says of itself and of its children."""

    def __init__(self) -> None:
        self.cn = Person("cn")
        self.sx = self.cn.bear("sx", "CN-SX")
        self.hb = self.cn.bear("hb", "CN-HB")
        self.ty = self.sx.bear("ty", "CN-SX")

    def list_letters(self) -> list[Letter]:
        told = [each.tell() for each in (self.cn, self.sx, self.hb, self.ty)]
        return [*told, self.cn.vouch(self.sx), self.cn.vouch(self.hb), self.sx.vouch(self.ty)]

    def build_book(self, reader: Person, *more: Letter, without: tuple[str, ...] = ()) -> KeyBook:
        children = [each for each in (self.sx, self.hb, self.ty) if each.parent is reader]
        parents = [reader.parent] if reader.parent else []
        links = [reader.link(each) for each in (*parents, *children)]
        return reader.build_book(links, [*(each for each in self.list_letters() if each.kind not in without), *more])


@pytest.fixture
def nation() -> Nation:
    return Nation()


def test_every_platform_of_the_tree_is_known_from_every_place_with_its_place(nation: Nation) -> None:
    for reader in (nation.cn, nation.sx, nation.hb, nation.ty):
        book = nation.build_book(reader)
        for author in (nation.cn, nation.sx, nation.hb, nation.ty):
            check_letter(author.write("usage"), book)
            known = book.platforms[author.id]
            assert (known.prefix, known.region) == (author.prefix, author.region)
            assert known.parent == (author.parent.id if author.parent else None)
    assert nation.build_book(nation.hb).list_path(nation.ty.id) == (nation.ty.id, nation.sx.id, nation.cn.id)


def test_a_letter_that_was_changed_is_refused(nation: Nation) -> None:
    letter, book = nation.ty.write("usage"), nation.build_book(nation.cn)
    forged = nation.hb.write("usage", signer=nation.ty.signers[0])
    with pytest.raises(InvalidInput, match="never vouched"):
        check_letter(forged, book)
    object.__setattr__(letter, "content", letter.content + b" ")
    with pytest.raises(InvalidInput, match="does not hold"):
        check_letter(letter, book)


def test_a_platform_that_nobody_vouches_for_may_not_speak(nation: Nation) -> None:
    stranger = Person("cn.zz", parent=nation.cn)
    book = nation.build_book(nation.sx)
    for letter in (stranger.write("usage"), stranger.tell()):
        with pytest.raises(PermissionDenied, match="vouches"):
            check_letter(letter, book)
    assert book.find_revocation(stranger.write("usage")) is None
    assert book.list_path(stranger.id) == ()
    assert book.find(stranger.id) is None
    # Its own word for itself, and that of one beside it, change nothing; nor does that of one whom nobody knows either.
    by_stranger = stranger.vouch(Person("cn.zz.a"))
    assert stranger.id not in nation.build_book(nation.sx, stranger.tell(), by_stranger).platforms


def test_a_child_vouches_for_nobody_above_it_or_beside_it(nation: Nation) -> None:
    """A hostile child claims its neighbour's city, its neighbour, and its parent; only what nobody else holds would be its."""
    hostile = nation.hb
    claims = [
        hostile.vouch(nation.ty, epoch=99),
        hostile.vouch(nation.sx, epoch=99),
        hostile.vouch(nation.cn, epoch=99),
    ]
    for reader in (nation.cn, nation.sx, nation.ty):
        book = nation.build_book(reader, *claims, hostile.revoke(nation.ty, nation.sx, nation.cn))
        assert book.platforms[nation.ty.id].parent == nation.sx.id
        assert book.platforms[nation.ty.id].region == "CN-SX"
        assert all(book.platforms[each.id].revoked_at_ms is None for each in (nation.ty, nation.sx, nation.cn))


def test_nobody_else_vouches_for_a_neighbour_that_says_nothing_yet(nation: Nation) -> None:
    claimed = Person("cn.hb.x", "CN-HB", nation.hb, epoch=99, signers=nation.sx.signers)
    book = nation.build_book(nation.cn, nation.hb.vouch(claimed), without=("platform",))
    assert (book.platforms[nation.sx.id].parent, book.platforms[nation.sx.id].region) == (nation.cn.id, "CN-SX")


def test_what_this_platform_once_said_of_a_child_does_not_outlive_its_link(nation: Nation) -> None:
    book = nation.cn.build_book([nation.cn.link(nation.sx, LinkState.REVOKED)], [nation.cn.vouch(nation.sx)])
    assert book.find_revocation(nation.sx.write("usage")) == to_milliseconds(NOW)


def test_two_who_claim_one_that_says_nothing_have_it_both_not(nation: Nation) -> None:
    quiet = nation.sx.bear("lf", "CN-SX")
    claims = [nation.sx.vouch(quiet), nation.hb.write("name", "cn.hb.lf", nation.sx.vouch(quiet).body)]
    assert quiet.id not in nation.build_book(nation.cn, *claims).platforms
    assert quiet.id in nation.build_book(nation.cn, claims[0]).platforms
    assert nation.build_book(nation.cn, *claims, quiet.tell()).platforms[quiet.id].parent == nation.sx.id


def test_a_platform_issues_prefixes_below_its_own_and_its_own_region_only(nation: Nation) -> None:
    elsewhere, deep, foreign = Person("cn.hb.x"), Person("cn.sx.a.b"), Person("cn.sx.c", "CN-HB")
    industry = Person("cn.sx.d")
    vouched = [nation.sx.vouch(each) for each in (elsewhere, deep, foreign, industry)]
    book = nation.build_book(nation.cn, *vouched)
    assert [each.id in book.platforms for each in (elsewhere, deep, foreign, industry)] == [False, False, False, True]


def test_a_rotated_key_speaks_once_somebody_vouched_for_it(nation: Nation) -> None:
    before = nation.ty.tell()
    nation.ty.rotate()
    nation.ty.rotate()
    after = nation.ty.tell()
    book = nation.build_book(nation.cn)
    check_letter(nation.ty.write("usage", signer=nation.ty.signers[0]), book)
    check_letter(nation.ty.write("usage"), book)
    # Before anybody was told, the letter that tells of it is taken, and no other.
    nation.ty.chain = type(nation.ty.chain)(nation.ty.chain.first_key)
    unaware = nation.build_book(nation.cn)
    check_letter(before, unaware)
    check_letter(after, unaware)
    with pytest.raises(InvalidInput, match="never vouched"):
        check_letter(nation.ty.write("usage"), unaware)


def test_newer_keys_of_somebody_further_off_are_known_before_its_parent_vouches_for_them(nation: Nation) -> None:
    vouched = nation.sx.vouch(nation.ty)
    nation.ty.rotate()
    letters = [nation.cn.tell(), nation.sx.tell(), nation.ty.tell(), nation.cn.vouch(nation.sx), vouched]
    book = nation.hb.build_book([nation.hb.link(nation.cn)], letters)
    assert book.platforms[nation.ty.id].keys == nation.ty.chain
    check_letter(nation.ty.write("usage"), book)


def test_whom_nobody_claims_of_those_it_names_is_not_known(nation: Nation) -> None:
    elsewhere = nation.ty.tell(parent_id=nation.hb.id, parent_keys=encode_key_chain(nation.hb.chain))
    letters = [each for each in nation.list_letters() if (each.author, each.kind) != (nation.ty.id, "platform")]
    book = nation.cn.build_book([nation.cn.link(each) for each in (nation.sx, nation.hb)], [*letters, elsewhere])
    assert book.find(nation.ty.id) is None


def test_a_rotation_that_the_key_before_did_not_sign_is_none(nation: Nation) -> None:
    thief = make_signer()
    honest = nation.ty.chain
    nation.ty.signers.append(thief)
    nation.ty.rotate(make_signer())
    told = nation.ty.tell()
    nation.ty.chain = honest
    with pytest.raises(InvalidInput, match="key 1"):
        check_letter(told, nation.build_book(nation.cn))
    # Nor is it believed where it lies among registers, or comes from the parent.
    assert nation.build_book(nation.cn, told).platforms[nation.ty.id].keys == honest


def test_of_two_second_keys_the_one_that_the_parent_knows_counts(nation: Nation) -> None:
    """Who has the first key can sign a second rotation; the parent's word was first."""
    thief = Person(nation.ty.prefix, nation.ty.region, nation.sx, signers=[nation.ty.signers[0]])
    nation.ty.rotate()
    thief.rotate()
    book = nation.build_book(nation.cn)
    with pytest.raises(InvalidInput, match="never vouched"):
        check_letter(thief.tell(), book)
    check_letter(nation.ty.tell(), book)


def test_what_a_revoked_platform_signed_is_refused_but_for_what_is_settled(nation: Nation) -> None:
    for revoker in (nation.sx, nation.cn):
        book = nation.build_book(nation.hb, revoker.revoke(nation.ty, at_ms=5))
        check_letter(nation.ty.write("usage"), book)
        assert book.find_revocation(nation.ty.write("usage")) == 5
        for letter in (nation.ty.write("offer", "a"), nation.ty.tell()):
            with pytest.raises(PermissionDenied, match="revoked"):
                check_letter(letter, book)
        check_letter(nation.sx.write("offer", "a"), book)


def test_what_is_below_a_revoked_platform_is_revoked_with_it(nation: Nation) -> None:
    book = nation.build_book(nation.hb, nation.cn.revoke(nation.sx, at_ms=7), nation.sx.revoke(nation.ty, at_ms=9))
    assert book.platforms[nation.ty.id].revoked_at_ms == 7
    assert book.platforms[nation.hb.id].revoked_at_ms is None


def test_a_key_is_revoked_alone_also_by_its_own_platform(nation: Nation) -> None:
    lost = nation.ty.signers[0]
    nation.ty.rotate()
    for revoker in (nation.ty, nation.sx):
        book = nation.build_book(nation.hb, revoker.revoke(nation.ty, key=lost.public_key, at_ms=3))
        check_letter(nation.ty.write("offer", "a"), book)
        with pytest.raises(PermissionDenied):
            check_letter(nation.ty.write("offer", "a", signer=lost), book)
        assert book.find_revocation(nation.ty.write("usage", signer=lost)) == 3
        assert book.find_revocation(nation.ty.write("usage")) is None
    # A platform does not revoke itself whole: that would be its parent's to say.
    assert nation.build_book(nation.hb, nation.ty.revoke(nation.ty)).platforms[nation.ty.id].revoked_at_ms is None


def test_a_neighbour_is_known_by_its_link_before_it_says_anything_and_after_it_ended(nation: Nation) -> None:
    for state in (LinkState.JOINED, LinkState.LEAVING, LinkState.LEFT, LinkState.REVOKED):
        book = nation.cn.build_book([nation.cn.link(nation.sx, state)], [])
        check_letter(nation.sx.write("usage"), book)
        if state is not LinkState.REVOKED:
            check_letter(nation.sx.tell(), book)
        expected = to_milliseconds(NOW) if state is LinkState.REVOKED else None
        assert book.find_revocation(nation.sx.write("usage")) == expected
    for state in (LinkState.REQUESTED, LinkState.REJECTED):
        book = nation.cn.build_book([nation.cn.link(nation.sx, state)], [])
        with pytest.raises(PermissionDenied):
            check_letter(nation.sx.write("usage"), book)


def test_one_that_left_and_came_back_below_another_is_that_ones(nation: Nation) -> None:
    moved = Person("cn.hb.ty", "CN-HB", nation.hb, epoch=2, signers=nation.sx.signers[:1])
    links = [nation.cn.link(nation.hb), nation.cn.link(nation.sx, LinkState.LEFT)]
    for told in ([], [moved.tell()]):
        book = nation.cn.build_book(links, [nation.hb.vouch(moved), *told])
        known = book.platforms[moved.id]
        assert (known.parent, known.region, known.epoch) == (nation.hb.id, "CN-HB", 2)


def test_the_first_word_of_one_that_moved_is_checked_by_its_new_parents_word(nation: Nation) -> None:
    moved = Person("cn.hb.ty", "CN-HB", nation.hb, epoch=2, signers=nation.ty.signers)
    moved.rotate()
    stale = nation.build_book(nation.cn)
    with pytest.raises(InvalidInput, match="never vouched"):
        check_letter(moved.write("usage"), stale)
    book = nation.build_book(nation.cn, nation.hb.vouch(moved))
    check_letter(moved.tell(), book)


def test_a_prefix_that_is_forwarded_vouches_for_nobody(nation: Nation) -> None:
    gone = nation.sx.bear("dt", "CN-SX")
    vouched = nation.sx.vouch(gone, forward_to="cn.hb.dt")
    assert gone.id not in nation.build_book(nation.cn, vouched).platforms


def test_what_is_no_such_register_is_passed_over_and_refused_as_a_letter(nation: Nation) -> None:
    bad_keys = NameBody(platform_id=nation.hb.id, keys=encode_key_chain(nation.ty.chain))
    bodies = [b"", b"[]", b'{"platform_id": "x"}', encode_body(bad_keys)]
    letters = [nation.sx.write(kind, "cn.sx.a", body) for kind in ("name", "platform", "revocation") for body in bodies]
    full_name = nation.sx.write("name", "cn.sx:site:a:00", nation.sx.vouch(nation.hb).body)
    book = build_key_book(
        nation.cn.know(), [nation.cn.link(nation.sx)], [*letters, full_name, nation.cn.revoke(nation.ty)]
    )
    assert set(book.platforms) == {nation.cn.id, nation.sx.id}
    for letter in (letters[0], letters[4], letters[8]):
        with pytest.raises(InvalidInput):
            check_letter(letter, book)


def test_the_way_up_ends_where_a_platform_says_nothing_of_its_parent_or_leads_back(nation: Nation) -> None:
    for told in (
        [],
        [nation.sx.tell(parent_keys=None)],
        [nation.sx.tell(parent_id=nation.ty.id, parent_keys=encode_key_chain(nation.ty.chain))],
    ):
        book = nation.ty.build_book([nation.ty.link(nation.sx)], told)
        assert set(book.platforms) == {nation.ty.id, nation.sx.id}
        assert book.list_path(nation.ty.id) == (nation.ty.id, nation.sx.id)


def test_those_who_vouch_come_before_those_they_vouch_for(nation: Nation) -> None:
    letters = [
        nation.ty.write("usage"),
        nation.sx.revoke(),
        nation.ty.tell(),
        nation.sx.vouch(nation.ty),
        nation.cn.vouch(nation.sx),
    ]
    assert [each.kind for each in order_for_book(letters)] == ["name", "name", "platform", "revocation", "usage"]
    assert [each.name for each in order_for_book(letters)][:2] == ["cn.sx", "cn.sx.ty"]
