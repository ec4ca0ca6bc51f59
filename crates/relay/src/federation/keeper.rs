//! Connections that this gateway dials and keeps: to its parent's gateways, and to platforms that give an address. They are
//! dialled again when they end, at growing pauses.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::{Request, StatusCode};
use keisan_route::{HOPS_MAX, Side};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::clock::read_wall_ms;
use crate::federation::credentials::{Role, find_platform};
use crate::federation::listen::serve_peer;
use crate::federation::{AUTHORITY, CALL_BLOCK, CallBlock, ECHO_PATH, HANDSHAKE_TIME, LinkBody};
use crate::gateway::Gateway;
use crate::options::Place;
use crate::record_id::RecordId;
use crate::snapshot::Neighbours;

/// Connections to each parent's gateway that it may ask on. Each carries `STREAMS_MAX` calls.
const SERVING_CONNECTIONS: usize = 2;
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// With the time to connect it is less than the five seconds within which a link that has healed is to be back.
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// The system repeats what nobody answers ever later: after a second, after three, after seven.
const CONNECT_TIME: Duration = Duration::from_secs(2);
/// A connection that lived so long was a good one.
const GOOD_TIME: Duration = Duration::from_secs(5);
const LOOK_TIME: Duration = Duration::from_secs(1);
const ECHO_PERIOD: Duration = Duration::from_secs(5);
const ECHO_TIME: Duration = Duration::from_secs(4);

/// Who is expected at an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Expected {
    Parent,
    Platform(String),
}

/// One connection that is kept: to whom, where, and what for.
type Kept = (Expected, Place, Role, usize);

/// Keeps connections to the parent's gateways, of the options or else of the snapshot: one to ask on, and some for it to ask
/// on. To every other platform of the snapshot that gives an address it keeps one.
pub async fn keep_platforms(gateway: Arc<Gateway>, parents: Vec<Place>) {
    let mut kept: HashMap<Kept, AbortHandle> = HashMap::new();
    loop {
        let wanted = list_wanted(&gateway, &parents);
        kept.retain(|key, keeping| {
            let is_wanted = wanted.contains(key);
            if !is_wanted {
                keeping.abort();
            }
            is_wanted
        });
        for key in wanted {
            let (expected, place, role, _) = key.clone();
            let keep = || keep(Arc::clone(&gateway), place, role, expected);
            kept.entry(key).or_insert_with(|| tokio::spawn(keep()).abort_handle());
        }
        tokio::time::sleep(LOOK_TIME).await;
    }
}

fn list_wanted(gateway: &Gateway, parents: &[Place]) -> HashSet<Kept> {
    let snapshot = gateway.snapshot();
    let neighbours = snapshot.as_ref().map(|snapshot| &snapshot.neighbours);
    let told = || neighbours.map(Neighbours::list_parents).unwrap_or_default();
    let parents = if parents.is_empty() { told() } else { parents.to_vec() };
    let mut wanted = HashSet::new();
    for place in parents {
        wanted.insert((Expected::Parent, place.clone(), Role::Calling, 0));
        wanted.extend((0..SERVING_CONNECTIONS).map(|number| (Expected::Parent, place.clone(), Role::Serving, number)));
    }
    let strangers = neighbours.map(Neighbours::list_addresses).unwrap_or_default();
    wanted.extend(strangers.into_iter().map(|(id, place)| (Expected::Platform(id), place, Role::Calling, 0)));
    wanted
}

async fn keep(gateway: Arc<Gateway>, place: Place, role: Role, expected: Expected) {
    let mut pause = PAUSE_MIN;
    loop {
        if gateway.is_draining() {
            return;
        }
        let begun = Instant::now();
        if let Ok(Some((stream, peer_id))) = tokio::time::timeout(HANDSHAKE_TIME, dial(&gateway, &place, role)).await
            && is_expected(&gateway, &expected, &peer_id)
        {
            match role {
                Role::Calling => gateway.federation.links.find(&peer_id).drive(stream).await,
                Role::Serving => serve_peer(stream, peer_id, Arc::clone(&gateway)).await,
            }
        }
        pause = if begun.elapsed() >= GOOD_TIME { PAUSE_MIN } else { (pause * 2).min(PAUSE_MAX) };
        tokio::time::sleep(spread(pause)).await;
    }
}

async fn dial(gateway: &Gateway, place: &Place, role: Role) -> Option<(TlsStream<TcpStream>, String)> {
    let connector = gateway.federation.credentials.as_ref()?.connector(role)?;
    let connecting = TcpStream::connect((place.host.as_str(), place.port));
    let stream = tokio::time::timeout(CONNECT_TIME, connecting).await.ok()?.ok()?;
    stream.set_nodelay(true).ok()?;
    // Nobody is known by this name; but TLS wants one.
    let name = ServerName::try_from(AUTHORITY).ok()?;
    let stream = connector.connect(name, stream).await.ok()?;
    let peer_id = find_platform(stream.get_ref().1.peer_certificates()?.first())?;
    Some((stream, peer_id))
}

fn is_expected(gateway: &Gateway, expected: &Expected, peer_id: &str) -> bool {
    match expected {
        Expected::Platform(platform_id) => platform_id == peer_id,
        Expected::Parent => {
            let side = gateway.snapshot().and_then(|snapshot| snapshot.neighbours.find_side(peer_id));
            side == Some(Side::Parent)
        }
    }
}

/// Half of a pause to all of it, so that not all children of a parent that comes back dial at once.
fn spread(pause: Duration) -> Duration {
    let mut byte = [0];
    // Without chance all dial at once, and no harm is done.
    let _ = SystemRandom::new().fill(&mut byte);
    pause / 2 + pause / 2 * u32::from(byte[0]) / 255
}

/// Measures how far every platform is whose way is open.
pub async fn measure_distances(gateway: Arc<Gateway>) {
    loop {
        let ids = gateway.snapshot().map(|snapshot| snapshot.neighbours.list_platforms()).unwrap_or_default();
        for platform_id in ids {
            // Apart, so that one that is slow does not hold up the others' measure; each ends by itself.
            tokio::spawn(measure_distance(Arc::clone(&gateway), platform_id));
        }
        tokio::time::sleep(spread(ECHO_PERIOD)).await;
    }
}

async fn measure_distance(gateway: Arc<Gateway>, platform_id: String) {
    let Some(snapshot) = gateway.snapshot() else { return };
    let links = &gateway.federation.links;
    let Some(mut stream) = snapshot.neighbours.find_hop(&platform_id, links).and_then(|link| link.take()) else {
        return;
    };
    let block = CallBlock {
        record_id: RecordId::create(read_wall_ms()).as_str().to_owned(),
        home: gateway.options.platform_id.clone(),
        audience: platform_id.clone(),
        ticket_id: String::new(),
        policies: Vec::new(),
        deadline_ms: u64::try_from(ECHO_TIME.as_millis()).unwrap_or(u64::MAX),
        hops_left: HOPS_MAX,
    };
    let (Some(block), begun) = (block.write(), Instant::now()) else { return };
    let request = Request::builder().uri(format!("https://{AUTHORITY}{ECHO_PATH}")).header(CALL_BLOCK, block);
    let Ok(request) = request.body(LinkBody::Whole(bytes::Bytes::new())) else { return };
    if let Ok(Ok(response)) = tokio::time::timeout(ECHO_TIME, stream.send(request)).await
        && response.status() == StatusCode::OK
    {
        links.find(&platform_id).note_distance(begun.elapsed());
    }
}
