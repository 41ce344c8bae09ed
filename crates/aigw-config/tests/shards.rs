//! Snapshots in pieces: what comes back, what is written for a change, and what an interruption leaves behind.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test should say where"
)]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use aigw_config::shard::{
    Contents, Cut, FORMAT, Index, MAX_STORED, Payload, Place, SLOTS, ShardError, ShardKind, Write, assemble,
    assemble_with, cut, pack, unpack,
};
use aigw_config::{Credentials, Document, EndpointsSpec, Secret};
use proptest::prelude::*;
use serde_json::{Value, json};

const UID: &str = "1f1f";

/// What a store of named objects holds.
#[derive(Clone, Debug, Default)]
struct Store(BTreeMap<Place, Payload>);

impl Store {
    fn index(&self) -> Option<Index> {
        self.0
            .get(&Place::Index)
            .map(|bytes| Index::parse(bytes.reveal()).unwrap())
    }

    fn write(&mut self, write: &Write) {
        self.0.insert(write.place, write.bytes.clone());
    }

    fn write_all(&mut self, cut: &Cut) -> Vec<Write> {
        let writes = cut.writes(self.index().as_ref(), &BTreeSet::new()).unwrap();
        for write in &writes {
            self.write(write);
        }
        writes
    }

    /// What a reader that starts now is given.
    fn read(&self) -> Result<Contents, ShardError> {
        let index = self.index().unwrap();
        let slots = index
            .shards
            .iter()
            .filter_map(|shard| Some((shard.slot, self.0.get(&Place::Slot(shard.slot))?.clone())));
        assemble(&index, &slots.collect())
    }
}

fn document(value: Value) -> Document {
    serde_json::from_value(value).unwrap()
}

fn credentials(entries: &[(&str, &str)]) -> Credentials {
    let mut table = Credentials::default();
    for (id, text) in entries {
        table.insert(*id, Secret::new(*text));
    }
    table
}

fn table(credentials: &Credentials) -> BTreeMap<String, String> {
    let all = credentials.ids();
    all.map(|id| (id.to_owned(), credentials.find(id).unwrap().reveal().to_owned()))
        .collect()
}

/// A gateway with as many of everything.
fn large(routes: usize, backends: usize, keys: usize) -> (Document, Credentials, BTreeMap<String, String>) {
    let route = |n: usize| {
        json!({"name": format!("team-{n}/route-{n}"), "listeners": ["http"], "hostnames": [format!("r{n}.example.com")],
            "rules": [{"models": [format!("model-{n}"), format!("model-{n}-*")],
                "backends": [{"name": format!("team-{n}/backend-{n}"), "weight": 3, "modelNameOverride": format!("m-{n}")},
                    {"name": format!("team-{}/backend-{}", n / 2, n / 2), "priority": 1}],
                "timeouts": {"request": "60s"}}],
            "costs": [{"metadataKey": "total", "type": "CEL", "cel": format!("input_tokens * {n}u + output_tokens")}]})
    };
    let backend = |n: usize| {
        json!({"name": format!("team-{n}/backend-{n}"), "schema": {"name": "OpenAI", "prefix": format!("v{n}")},
            "url": format!("https://host-{n}.example.com:8443"),
            "auth": {"type": "bearer", "credential": format!("policy-{}", n % keys.max(1))},
            "headerMutation": {"set": [{"name": "x-team", "value": format!("{n}")}], "remove": ["x-other"]}})
    };
    let key = |n: usize| {
        format!(
            "sk-{:064x}",
            (n as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
        )
    };
    let document = document(json!({
        "listeners": [{"name": "http", "address": "0.0.0.0:8080"}],
        "routes": (0..routes).map(route).collect::<Vec<_>>(),
        "backends": (0..backends).map(backend).collect::<Vec<_>>(),
        "credentials": (0..keys).map(|n| json!({"name": format!("policy-{n}"), "value": "[redacted]"})).collect::<Vec<_>>(),
    }));
    let mut credentials = Credentials::default();
    for n in 0..keys {
        credentials.insert(format!("policy-{n}"), Secret::new(key(n)));
    }
    let hashes = (0..routes)
        .map(|n| {
            (
                format!("AIGatewayRoute/team-{n}/route-{n}"),
                key(n)[3..19].to_owned(),
            )
        })
        .chain((0..backends).map(|n| {
            (
                format!("AIServiceBackend/team-{n}/backend-{n}"),
                key(n)[30..46].to_owned(),
            )
        }))
        .collect();
    (document, credentials, hashes)
}

#[test]
fn everything_comes_back_in_its_order() {
    let whole = document(json!({
        "listeners": [{"name": "z", "address": "[::]:80"}, {"name": "a", "address": "[::]:443",
            "tls": {"certificate": "/c", "key": "/k"}, "hostnames": ["*.example.com"]}],
        "routes": [
            {"name": "second", "strict": true, "rules": [{"name": "x", "models": ["a*", {"regex": "b+"}, {"prefix": "c"}],
                "matches": [{"model": "m", "headers": [{"name": "h", "value": "v+", "type": "RegularExpression"}]}],
                "backends": [{"name": "two", "weight": 0}, {"name": "one", "priority": 4}],
                "retry": {"attempts": 3, "statuses": [409], "onError": "return", "timeout": "4s", "backoff": {"base": "1s"}},
                "maxConcurrent": 8, "ejection": {"errors": 2, "time": "3s", "alwaysOne": true},
                "healthCheck": {"path": "/up", "statuses": [204, {"start": 200, "end": 203}], "interval": "5s"},
                "timeouts": {"idle": "1s500ms"}, "modelsOwnedBy": "us", "modelsCreatedAt": 7}]},
            {"name": "first", "refuse": "rateLimit is not supported"}],
        "models": [{"name": "alias", "model": "m", "hidden": true}],
        "backends": [{"name": "two", "provider": "groq", "apiKey": "sk", "tls": {"caPem": "PEM", "serverName": "s"}},
            {"name": "one", "url": "http://one", "auth": {"type": "header", "name": "k", "credential": "c"},
             "bodyMutation": {"set": [{"path": "p", "value": "{\"a\": [1]}"}]}, "maxConcurrent": 4}],
        "credentials": [{"name": "c", "file": "/run/c"}],
        "clientKeys": [],
        "costs": [{"metadataKey": "k", "type": "InputToken"}],
        "limits": {"maxRequestBody": "3MiB", "timeouts": {"connect": "250ms"}, "allowedOrigins": ["https://a"]},
    }));
    for (document, given) in [
        (whole, credentials(&[("c", "1"), ("backend/two", "ünïcode")])),
        Default::default(),
    ] {
        let hashes = BTreeMap::from([("Route/a".to_owned(), "77".to_owned())]);
        let mut store = Store::default();
        store.write_all(&cut(UID, &document, &given, &hashes, FORMAT).unwrap());
        let back = store.read().unwrap();
        // What a secret's text was is not shown, and so not carried.
        let shown = |document: &Document| serde_json::to_string(document).unwrap();
        assert_eq!(shown(&back.document), shown(&document));
        assert_eq!(
            back.document.client_keys.is_some(),
            document.client_keys.is_some()
        );
        assert_eq!(table(&back.credentials), table(&given));
        assert_eq!(back.hashes, hashes);
    }
}

#[test]
fn equal_contents_have_equal_bytes_and_nothing_is_written_twice() {
    let (document, credentials, hashes) = large(40, 40, 10);
    let mut other = Credentials::default();
    for (id, text) in table(&credentials).into_iter().rev() {
        other.insert(id, Secret::new(text));
    }
    let one = cut(UID, &document, &credentials, &hashes, FORMAT).unwrap();
    let two = cut(UID, &document, &other, &hashes, FORMAT).unwrap();
    let none = BTreeSet::new();
    assert_eq!(one.writes(None, &none).unwrap(), two.writes(None, &none).unwrap());
    let mut store = Store::default();
    // Order, document, credentials, hashes, and the index: a small gateway takes few objects.
    assert_eq!(store.write_all(&one).len(), 5);
    assert!(store.write_all(&two).is_empty());
    let elsewhere = cut("other", &document, &credentials, &hashes, FORMAT).unwrap();
    assert_ne!(elsewhere.version, one.version);
    assert_eq!(store.write_all(&elsewhere).len(), 1);
}

#[test]
fn two_thousand_routes_fit_and_a_change_is_small() {
    let (mut document, mut credentials, mut hashes) = large(2_000, 2_000, 500);
    let first = cut(UID, &document, &credentials, &hashes, FORMAT).unwrap();
    let mut store = Store::default();
    let all = store.write_all(&first);
    assert_eq!(all.len(), 1 + 16 + 8 + 4 + 1);
    let size = |writes: &[Write]| {
        writes
            .iter()
            .map(|write| write.bytes.reveal().len())
            .max()
            .unwrap()
    };
    // Tenfold room under what the store takes.
    assert!(size(&all) < MAX_STORED / 10, "{}", size(&all));
    let places = |writes: &[Write]| writes.iter().map(|write| write.place).collect::<Vec<_>>();
    let index = store.index().unwrap();

    credentials.insert("policy-7", Secret::new("sk-new"));
    let writes = store.write_all(&cut(UID, &document, &credentials, &hashes, FORMAT).unwrap());
    assert_eq!(writes.len(), 2);
    assert_eq!(writes[1].place, Place::Index);
    assert!(size(&writes) < 8 << 10, "{}", size(&writes));
    assert!(
        !index
            .shards
            .iter()
            .any(|shard| Place::Slot(shard.slot) == writes[0].place)
    );
    let now = store.index().unwrap();
    let stayed = |kind: ShardKind| {
        index
            .shards
            .iter()
            .filter(|shard| shard.kind == kind)
            .all(|shard| now.shards.contains(shard))
    };
    assert!(stayed(ShardKind::Document) && stayed(ShardKind::Order) && stayed(ShardKind::Hashes));
    assert_ne!(now.version, index.version);
    assert_eq!(
        store
            .read()
            .unwrap()
            .credentials
            .find("policy-7")
            .unwrap()
            .reveal(),
        "sk-new"
    );

    // A reader that has the document needs no shard of it.
    let of_keys = now.shards.iter().filter(|shard| {
        let kinds = [ShardKind::Credentials, ShardKind::Hashes];
        kinds.contains(&shard.kind)
    });
    let few = of_keys.map(|shard| (shard.slot, store.0[&Place::Slot(shard.slot)].clone()));
    assert_eq!(now.document_hashes(), index.document_hashes());
    let read = assemble_with(&now, &few.collect(), Some(Arc::new(document.clone()))).unwrap();
    assert_eq!(read.credentials.find("policy-7").unwrap().reveal(), "sk-new");
    assert_eq!(*read.document, document);

    document.backends[1_234].url = Some("https://elsewhere.example.com".to_owned());
    let writes = store.write_all(&cut(UID, &document, &credentials, &hashes, FORMAT).unwrap());
    assert_eq!(writes.len(), 2, "{:?}", places(&writes));
    assert!(size(&writes) < 32 << 10, "{}", size(&writes));

    // A pod comes: endpoints are apart.
    document.endpoints = (0..500)
        .map(|n| EndpointsSpec {
            name: format!("service-{n}.team.svc:8080"),
            addresses: vec![format!("10.0.{}.{}:8080", n / 250, n % 250)],
            ..EndpointsSpec::default()
        })
        .collect();
    store.write_all(&cut(UID, &document, &credentials, &hashes, FORMAT).unwrap());
    document.endpoints[123].addresses.push("10.1.2.3:8080".to_owned());
    let writes = store.write_all(&cut(UID, &document, &credentials, &hashes, FORMAT).unwrap());
    assert_eq!(writes.len(), 2, "{:?}", places(&writes));
    assert!(size(&writes) < 8 << 10, "{}", size(&writes));
    assert_eq!(store.read().unwrap().document.endpoints, document.endpoints);

    // A new route: its shard, the order, a hash, the index.
    let mut added = document.routes[0].clone();
    added.name = "team-x/new".to_owned();
    document.routes.insert(700, added);
    hashes.insert("AIGatewayRoute/team-x/new".to_owned(), "00".to_owned());
    let writes = store.write_all(&cut(UID, &document, &credentials, &hashes, FORMAT).unwrap());
    assert_eq!(writes.len(), 4, "{:?}", places(&writes));
    assert_eq!(store.read().unwrap().document.routes[700].name, "team-x/new");

    // Everything changes at once: two generations have room in the pool.
    let (document, _, _) = large(2_000, 2_000, 499);
    let all_new: BTreeMap<_, _> = hashes
        .into_iter()
        .map(|(key, hash)| (key, format!("{hash}1")))
        .collect();
    let mut other = Credentials::default();
    for (id, text) in table(&credentials) {
        other.insert(id, Secret::new(text + "1"));
    }
    store.write_all(&cut(UID, &document, &other, &all_new, FORMAT).unwrap());
    assert_eq!(store.read().unwrap().hashes, all_new);
}

#[test]
fn a_shard_that_is_lost_or_changed_is_noticed_and_written_again() {
    let (document, credentials, hashes) = large(3, 3, 3);
    let whole = cut(UID, &document, &credentials, &hashes, FORMAT).unwrap();
    let mut store = Store::default();
    store.write_all(&whole);
    for shard in store.index().unwrap().shards {
        let place = Place::Slot(shard.slot);
        let mut torn = store.clone();
        torn.0.remove(&place);
        assert!(torn.read().unwrap_err().to_string().contains("missing"));
        let mut bytes = store.0.get(&place).unwrap().reveal().to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        torn.0.insert(place, Payload::new(bytes));
        let error = torn.read().unwrap_err().to_string();
        assert!(
            error.contains(&format!("in slot {}", shard.slot)) && !error.contains("sk-"),
            "{error}"
        );
        let other = store
            .0
            .iter()
            .find(|(other, _)| **other != place && **other != Place::Index)
            .unwrap();
        torn.0.insert(place, other.1.clone());
        torn.read().unwrap_err();

        let writes = whole
            .writes(torn.index().as_ref(), &BTreeSet::from([shard.slot]))
            .unwrap();
        assert_eq!(writes.len(), 2);
        for write in &writes {
            torn.write(write);
        }
        torn.read().unwrap();
    }
}

#[test]
fn other_formats_are_refused_before_anything_is_read() {
    let (document, credentials, hashes) = large(1, 1, 1);
    let whole = cut(UID, &document, &credentials, &hashes, FORMAT).unwrap();
    let mut store = Store::default();
    store.write_all(&whole);
    let index = store.index().unwrap();
    let of = |format: u32, min_reader: u32| Index {
        format,
        min_reader,
        ..index.clone()
    };
    let none = HashMap::new();
    assert!(matches!(
        assemble(&of(FORMAT + 1, FORMAT + 1), &none),
        Err(ShardError::TooNew { .. })
    ));
    assert!(matches!(
        assemble(&of(0, 0), &none),
        Err(ShardError::TooOld { format: 0 })
    ));
    // One that only adds something: read, without what is not known.
    let mut newer = of(FORMAT + 1, FORMAT);
    let mut unknown = serde_json::to_value(&newer.shards[0]).unwrap();
    unknown["kind"] = "somethingNew".into();
    unknown["slot"] = 71.into();
    newer.shards.push(serde_json::from_value(unknown).unwrap());
    store
        .0
        .insert(Place::Index, Payload::new(serde_json::to_vec(&newer).unwrap()));
    store.read().unwrap();
    for format in [0, FORMAT + 1] {
        let refused = cut(UID, &document, &credentials, &hashes, format).unwrap_err();
        assert_eq!(refused, ShardError::Unwritable { format });
    }
    // A writer that goes back to an older build keeps away from the slots of an index that it cannot serve.
    let foreign = of(FORMAT + 7, FORMAT + 7);
    for write in whole
        .writes(
            Some(&foreign),
            &foreign.shards.iter().map(|shard| shard.slot).collect(),
        )
        .unwrap()
    {
        assert!(
            !foreign
                .shards
                .iter()
                .any(|shard| write.place == Place::Slot(shard.slot))
        );
    }
}

#[test]
fn names_that_cannot_be_told_apart_are_refused() {
    let twice = document(json!({"routes": [{"name": "a"}, {"name": "a"}]}));
    let error = cut(UID, &twice, &Credentials::default(), &BTreeMap::new(), FORMAT).unwrap_err();
    assert_eq!(error.to_string(), "two routes are named \"a\"; rename one");
}

#[test]
fn a_kept_copy_comes_back_or_is_refused() {
    let (document, credentials, hashes) = large(5, 5, 5);
    let mut store = Store::default();
    store.write_all(&cut(UID, &document, &credentials, &hashes, FORMAT).unwrap());
    let index = store.index().unwrap();
    let slots = store.0.iter().filter_map(|(place, bytes)| match place {
        Place::Slot(slot) => Some((*slot, bytes.clone())),
        Place::Index => None,
    });
    let shards: HashMap<u8, Payload> = slots.collect();
    let packed = pack(&index, &shards).unwrap();
    let (index_back, shards_back) = unpack(&packed).unwrap();
    assert_eq!((&index_back, &shards_back), (&index, &shards));
    for length in 0..packed.reveal().len() {
        assert!(unpack(&Payload::new(packed.reveal()[..length].to_vec())).is_err());
    }
    let mut long = packed.reveal().to_vec();
    long.push(0);
    assert!(unpack(&Payload::new(long)).is_err());
}

/// One gateway's configuration, small, and its changes.
fn any_contents() -> impl Strategy<Value = (Document, Credentials, BTreeMap<String, String>)> {
    let names = proptest::sample::subsequence((0..12).collect::<Vec<u8>>(), 0..12).prop_shuffle();
    let keys = proptest::collection::btree_map(0..6_u8, 0..4_u8, 0..6);
    let hashes = proptest::collection::btree_map("[a-d]", "[0-3]", 0..4);
    (names, 0..3_u8, keys, hashes).prop_map(|(names, edit, keys, hashes)| {
        // Long enough that there are several shards.
        let filler = |n: u8| format!("{n}-{edit}-{}", "x".repeat(12_000));
        let routes: Vec<Value> = names
            .iter()
            .map(|n| json!({"name": format!("r{n}"), "refuse": filler(*n % 4)}))
            .collect();
        let mut credentials = Credentials::default();
        for (id, key) in keys {
            credentials.insert(
                format!("k{id}"),
                Secret::new(format!("sk-{key}-{}", "y".repeat(25_000))),
            );
        }
        (document(json!({"routes": routes})), credentials, hashes)
    })
}

/// All that a reader is given, to compare.
fn shown(document: &Document, credentials: &Credentials, hashes: &BTreeMap<String, String>) -> String {
    format!(
        "{} {:?} {hashes:?}",
        serde_json::to_string(document).unwrap(),
        table(credentials)
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_interrupted_leaves_the_old_or_the_new(
        steps in proptest::collection::vec((any_contents(), 0.0..1.3_f64), 1..8)
    ) {
        let mut store = Store::default();
        let mut served: Option<String> = None;
        for ((document, credentials, hashes), share) in steps {
            let next = cut(UID, &document, &credentials, &hashes, FORMAT).unwrap();
            let writes = next.writes(store.index().as_ref(), &BTreeSet::new()).unwrap();
            let flips = writes.iter().filter(|write| write.place == Place::Index).count();
            prop_assert!(writes.is_empty() || (flips == 1 && writes.last().unwrap().place == Place::Index));
            // The writer dies after some of its writes, and another one begins with what it finds.
            let done = ((writes.len() as f64 * share) as usize).min(writes.len());
            for write in &writes[..done] {
                if let Place::Slot(slot) = write.place {
                    prop_assert!(slot < SLOTS);
                }
                store.write(write);
                if write.place == Place::Index {
                    served = Some(shown(&document, &credentials, &hashes));
                }
                let Some(served) = &served else { continue };
                let read = store.read().unwrap();
                prop_assert_eq!(&shown(&read.document, &read.credentials, &read.hashes), served);
            }
        }
    }
}
