"""Words that names are made of: verbs, predicates, abbreviations, units. A new verb is added here, on purpose."""


def split_list(text: str) -> frozenset[str]:
    """Return the words of a text; a list of strings would be four times as long and no clearer."""
    return frozenset(text.split())


PREDICATE_PREFIXES = ("is_", "has_", "can_", "are_", "was_", "does_", "should_", "must_", "may_", "try_", "need_")

VERBS = split_list(
    """
    accept acknowledge acquire adapt add adjust admit adopt advance aggregate align allow analyse announce answer append apply approve
    archive ask assemble assert assess assign attach audit authenticate authorize await back batch begin bill bind block boot
    bring build cache calculate call cancel cap capture carry certify catch change charge chain chat check choose cite claim clamp classify
    clean clear clip clone close collect combine commit compact compare compile complete compose compress compute confirm
    connect consume continue convert copy cordon count cover create credit cut debit decide declare decode decorate decrement
    deduplicate default defer define delay delete deliver deploy derive describe deserialize detach detect determine
    dial diff digest discard disconnect discover dispatch divide downgrade download draft drain draw drive drop dump echo edit elect emit empty enable encode
    encrypt end enforce enqueue ensure enter enumerate erase escape estimate evaluate evict examine exchange exclude execute
    exit expand expect expire explain export expose extend extract fail feed fetch fill filter find finish fit fix flatten
    flush fold follow force forget form format forward free freeze gather generate get give grant group grow guard guess
    halt hand handle hash hear hide hold identify ignore import include increment index infer inherit invert initialize inject insert
    inspect install intersect invalidate invite invoke issue iterate join judge keep kill know label launch lay lead lease leave let
    limit link list listen load locate lock log look loop lower main make map mark mask match measure merge meter migrate
    mint mirror mix mount move multiply name negotiate nest normalize note notify number observe offer omit open order organize override
    own pack pad page pair park paginate parse partition pass patch pause pay perform persist pick pin peek ping place plan poll pop post prefer prepare
    preserve press prevent price print probe proceed process produce promise prompt propose prove provide provision prune
    publish pull purge push put quarantine query quote raise rank reach read reap rebuild recall receive reckon recognize recompute reconcile
    reconnect record reopen recover reduce refer refresh refund refuse register reject relay release reload relabel remain remember
    remove rename render renew repair repeat replace replay reply report request require reschedule reserve reset resolve
    reinstate respond restart restore resume retire retry return reuse reverse revoke rewrite roll rotate round route run sample
    sanitize satisfy save say scale scan schedule score scrub seal search seed select send separate serialize serve set settle
    share shift shorten show shrink shut sign signal silence simulate skip slice snapshot sort spawn spend spill split spool stamp start state stop
    store stream strike strip submit subscribe subtract suggest sum summarize supervise suspend swap sweep sync tabulate tag take tally tear
    tell terminate test throttle tick tidy tie time total touch trace track transfer transform translate traverse trim
    truncate trust turn type uncordon understand undo unescape unite unfreeze unlock unpack unregister unwrap update upgrade upload upsert
    use validate verify view visit void wait wake walk want warm warn watch weigh widen with withdraw work wrap write
    yield from to
    """
)

ABBREVIATIONS = split_list(
    """
    acct accum amt arg arr asc assoc attr attrs aux avg bal bg bkt buf bufs btn calc cb cfg chk clk cmd cmds cnt
    cntr coef cond conf conn conns const ctl ctr ctx cur curr dbg decl deps dep desc descr dest devs
    dir dirs dst dt dupe dur ea elem elems env envs err errs evt evts exc excs expr ext fac
    fld flds fmt fn fname fns freq func funcs grp grps gw hdr hdrs hier hyp idx idxs img imgs impl
    incr inst instr intf inv itf lbl lhs lim lst mgmt mgr mgrs msg msgs mut nbr
    num nums obj objs opts org orgs pct perc perf perm perms pkg pkgs pred prev proc
    procs proj projs prom props ptr pwd qty rand recv repo repos req reqs
    resp resps ret retval rhs sched sec secs seg segs seq seqs sess sock socks
    srv srvs stmt stmts subj svc svcs tbl tbls tb tgt thr tmp tmpl tok toks
    tot ts txn txns typ upd usr util utils val vals ver vers wrt
    """
)

SECOND_SPELLINGS = {
    "sec": "s",
    "secs": "s",
    "second": "s",
    "seconds": "s",
    "millis": "ms",
    "milliseconds": "ms",
    "micros": "us",
    "microseconds": "us",
    "nanos": "ns",
    "kb": "bytes",
    "mb": "bytes or _mib",
    "gb": "bytes or _gib",
}
# What tools of devices count memory in.
BINARY_UNITS = frozenset({"kib", "mib", "gib"})
TIME_UNITS = frozenset({"s", "ms", "us", "ns", "minutes", "hours", "day", "days", "months", "years", "at"})
TIME_WORDS = frozenset(
    {
        "timeout",
        "interval",
        "delay",
        "age",
        "lifetime",
        "life",
        "ttl",
        "grace",
        "period",
        "duration",
        "elapsed",
        "latency",
        "wait",
    }
)
SIZE_WORDS = frozenset({"size", "memory", "capacity", "length", "rss"})
