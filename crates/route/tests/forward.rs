//! No call goes in a circle, on random trees and whatever the tables of ways say: also wrong ones, of platforms that move.

use std::collections::BTreeSet;

use keisan_route::{Code, ForwardedCall, Forwarding, HOPS_MAX, Here, Peer, Side, Verdict, Way, decide_forward};
use proptest::prelude::*;

/// The parent of each platform but the first, which has none.
type Tree = Vec<usize>;

fn any_tree() -> impl Strategy<Value = Tree> {
    (2usize..10).prop_flat_map(|count| (1..count).map(|child| 0..child).collect::<Vec<_>>())
}

fn find_parent(tree: &Tree, place: usize) -> Option<usize> {
    place.checked_sub(1).map(|before| tree[before])
}

fn find_side(tree: &Tree, at: usize, other: usize) -> Option<Side> {
    if find_parent(tree, at) == Some(other) {
        return Some(Side::Parent);
    }
    (find_parent(tree, other) == Some(at)).then_some(Side::Child)
}

fn is_behind(tree: &Tree, place: usize, above: usize) -> bool {
    std::iter::successors(Some(place), |place| find_parent(tree, *place)).any(|found| found == above)
}

/// The neighbour that the tree itself leads to.
fn find_true_way(tree: &Tree, at: usize, to: usize) -> Option<usize> {
    let children = (0..=tree.len()).filter(|child| find_parent(tree, *child) == Some(at));
    let below = children.into_iter().find(|child| is_behind(tree, to, *child));
    if at == to { None } else { below.or(find_parent(tree, at)) }
}

fn name(place: usize) -> String {
    format!("platform-{place}")
}

/// Walks as gateways would, each by its own table; returns every platform that the call came to, and how it ended.
fn walk(
    tree: &Tree,
    (home, audience): (usize, usize),
    table: impl Fn(usize, usize) -> Option<usize>,
) -> (Vec<usize>, Result<(), Code>) {
    let (mut came_from, mut visited) = (home, vec![home]);
    let Some(mut at) = table(home, audience) else { return (visited, Err(Code::PlatformUnknown)) };
    let (home_id, audience_id) = (name(home), name(audience));
    for hops_left in (0..HOPS_MAX).rev() {
        visited.push(at);
        let (own_id, peer_id) = (name(at), name(came_from));
        let describe = |to: usize| {
            let neighbour = table(at, to)?;
            Some((name(neighbour), find_side(tree, at, neighbour)?))
        };
        let (way_home, way_on) = (describe(home), describe(audience));
        let here = Here {
            platform_id: &own_id,
            way_home: way_home.as_ref().map(|(id, side)| Way { neighbour_id: id, side: *side, verdict: Verdict::Ok }),
            way_on: way_on.as_ref().map(|(id, side)| Way { neighbour_id: id, side: *side, verdict: Verdict::Ok }),
        };
        let call = ForwardedCall { home_id: &home_id, audience_id: &audience_id, hops_left };
        let peer = Peer { platform_id: &peer_id, side: find_side(tree, at, came_from) };
        match decide_forward(call, peer, &here) {
            Ok(Forwarding::Serve) => return (visited, Ok(())),
            Ok(Forwarding::Pass(neighbour)) => {
                let next = (0..=tree.len()).find(|place| name(*place) == neighbour).expect("a neighbour of the tree");
                (came_from, at) = (at, next);
            }
            Err(refusal) => return (visited, Err(refusal.code)),
        }
    }
    panic!("the call went on for {HOPS_MAX} hops: {visited:?}");
}

proptest! {
    #[test]
    fn by_true_tables_every_call_arrives_by_the_shortest_way(tree in any_tree(), ends in (0usize..10, 0usize..10)) {
        let (home, audience) = (ends.0 % (tree.len() + 1), ends.1 % (tree.len() + 1));
        if home != audience {
            let (visited, ended) = walk(&tree, (home, audience), |at, to| find_true_way(&tree, at, to));
            prop_assert_eq!(ended, Ok(()), "{:?}", visited);
            prop_assert_eq!(visited.last(), Some(&audience));
        }
    }

    /// Every entry of every table is any neighbour or none, and no platform is ever come to twice.
    #[test]
    fn by_wrong_tables_no_call_comes_to_a_platform_twice(
        tree in any_tree(), ends in (0usize..10, 0usize..10), picks in prop::collection::vec(0usize..6, 100),
    ) {
        let count = tree.len() + 1;
        let (home, audience) = (ends.0 % count, ends.1 % count);
        let table = |at: usize, to: usize| {
            let neighbours: Vec<usize> = (0..count).filter(|other| find_side(&tree, at, *other).is_some()).collect();
            neighbours.get(picks[at * 10 + to] % (neighbours.len() + 1)).copied()
        };
        if home != audience {
            let (visited, ended) = walk(&tree, (home, audience), table);
            let is_caught = ended == Err(Code::CallLooped) || ended == Err(Code::CallOffPath);
            let different: BTreeSet<usize> = visited.iter().copied().collect();
            // The last one may be one that was passed: it then refuses.
            prop_assert!(different.len() == visited.len() || (is_caught && different.len() + 1 == visited.len()), "{visited:?}");
            prop_assert!(ended != Ok(()) || visited.last() == Some(&audience));
        }
    }
}
