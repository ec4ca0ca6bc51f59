"""Named limits of the platform, each with its unit. A relation between two of them is asserted where they stand."""

NAME_CHARACTERS_MAX = 128
PAGE_ITEMS_DEFAULT = 50
PAGE_ITEMS_MAX = 500
KEY_MODELS_MAX = 200
POLICY_CLAUSES_MAX = 32
POLICY_CHARACTERS_MAX = 2048
API_BODY_BYTES_MAX = 12 * 1024 * 1024
USAGE_BATCH_RECORDS_MAX = 3000
CSV_LINES_MAX = 20_000
CSV_CELL_CHARACTERS_MAX = 512
# For how long after its admission a usage record is awaited, and how far a gateway's clock may be ahead.
USAGE_LATE_S_MAX = 7 * 24 * 3600
USAGE_EARLY_S_MAX = 3600
# How many records are read at a time while a statement's root is computed.
STATEMENT_CHUNK_RECORDS_MAX = 3000
# For how long a run of a closing goes on to its next part: what is drawn by then is written well before the lease ends.
CLOSING_RUN_S_MAX = 5
# For how long after it was closed a statement may be disputed, and what a dispute may hold.
DISPUTE_WINDOW_S = 30 * 24 * 3600
DISPUTE_TEXT_CHARACTERS_MAX = 2000
DISPUTE_RECORDS_MAX = 100
CREDIT_LINES_MAX = 16_000
CREDIT_PARTS_MAX = 256
TICKET_LEASE_S = 7200
TICKET_LATENESS_S = 7200
CREDIT_RENEW_S = 10
# Between platforms: a cut may last days. By how much clocks of two platforms may differ beyond what a link has measured.
PLATFORM_LEASE_S = 96 * 3600
PLATFORM_LATENESS_S = 96 * 3600
PLATFORM_SKEW_S = 60
# After so long without a word over its link, what is known of a platform is nothing.
PLATFORM_SILENCE_S = 45
# What fits a letter.
ADMISSION_KEYS_MAX = 400
PINNED_PRICES_MAX = 400
BUDGET_WINDOW_S_MIN = 3600
BUDGET_WINDOW_S_MAX = 366 * 24 * 3600
SNAPSHOT_WAIT_S_MAX = 30
SNAPSHOT_CHANGES_KEPT_MAX = 10_000
IDEMPOTENCY_KEY_CHARACTERS_MAX = 128
IDEMPOTENCY_KEPT_S = 24 * 3600
JOIN_TOKEN_LIFE_S = 3600
# An invitation for a child platform; names in the tree; how often a platform's key is replaced in its life.
INVITATION_LIFE_S = 24 * 3600
INVITATION_LIFE_S_MAX = 30 * 24 * 3600
PREFIX_LABELS_MAX = 8
PREFIX_CHARACTERS_MAX = 64
PLATFORM_NAME_CHARACTERS_MAX = 160
KEY_ROTATIONS_MAX = 64
# A platform's place in the tree is looked for no deeper.
TREE_LEVELS_MAX = 16
# Epochs that a hostile neighbour names must still fit what both databases store.
EPOCH_MAX = 2**53
# A platform writes its list of revocations anew at least this often.
REVOCATION_PROOF_S = 600
LINK_CERTIFICATE_S = 90 * 24 * 3600
# A child asks its parent at least this often how it stands, and while it waits to be approved within so many seconds.
LINK_LOOK_S = 6 * 3600
LINK_REVIEW_S_MAX = 30
# For how long a parent that cannot be reached is waited for before what it has a part in stays in suspense.
DEPARTURE_WAIT_S = 900
SITE_NODES_MAX = 10_000
SITE_DEVICES_MAX = 100_000
SITE_REPLICAS_MAX = 10_000
# What a tool says of a device that does not change, in its own words.
DEVICE_FACTS_MAX = 32
DEVICE_FACT_NAME_CHARACTERS_MAX = 64
DEVICE_FACT_CHARACTERS_MAX = 512
DEVICE_USE_REASON_CHARACTERS_MAX = 500
# What all nodes of a site tell of themselves together, as JSON: it goes on in the site's own report (API_BODY_BYTES_MAX).
SITE_HOSTS_BYTES_MAX = 8 * 1024 * 1024
# A site with fewer devices sends smaller frames; none of a larger one is smaller, since frames cost more than rows.
FRAME_DEVICES_MIN = 256
FRAME_DEVICES_MAX = 65_536
FRAME_PERIOD_MS_MIN, FRAME_PERIOD_MS_MAX = 1_000, 60_000
# How far a site's clock may be ahead, and for how long after it was taken a frame is awaited.
FRAME_EARLY_MS_MAX = 60_000
FRAME_LATE_MS_MAX = 7 * 24 * 3600 * 1000
# Gaps in what has been seen of a site's frames: a cut leaves one, and one more closes with each late frame.
FRAME_GAPS_MAX = 4096
# A device has forty series of 200 bytes: this many are 80 MB of text, and a few MB as they are sent.
SCRAPE_DEVICES_MAX = 10_000
SCRAPES_AT_ONCE_MAX = 2
SCRAPE_WAIT_S_MAX = 5
STREAMS_OPEN_MAX = 1_000
STREAM_GROUPS_MAX = 2_000
# Eleven days of seconds, for whoever asks a stream to end by itself.
STREAM_EVENTS_MAX = 1_000_000
STREAM_HEARTBEAT_S = 10
# Whoever has not read the last piece for so long is cut off.
STREAM_SEND_S_MAX = 60
# How long a stream goes on after its key was revoked.
STREAM_KEY_LOOK_S = 5
# For how long a piece waits for that look, and how long a stream goes on while the database does not answer it.
STREAM_KEY_WAIT_S_MAX = 0.2
STREAM_KEY_UNSEEN_S_MAX = 300
# The same for frames of machines that are known: how long one waits, how long none is then asked about, and how long they are known.
MACHINE_LOOK_S_MAX = 1
MACHINE_REST_S = 5
MACHINE_UNSEEN_S_MAX = 300
MACHINES_REMEMBERED_MAX = 10_000
# A site's live frames are taken at so many times what its devices and its own period make, so many periods' worth at once.
SITE_RATE_MULTIPLE = 3
SITE_BURST_PERIODS = 6
# Late frames fill history only; live ones never wait for them. Those who send them share the rate, and who has not for a
# while is none of them; a share may be saved up for so long.
LATE_SAMPLES_PER_S_MAX = 50_000
LATE_ASKED_S = 60
LATE_SAVED_S = 10
# Events of the live fleet that wait for the database: of one site, and of all; so many are written at a time.
FLEET_EVENTS_PER_SITE_MAX = 16
FLEET_EVENTS_WAITING_MAX = 4096
FLEET_EVENTS_WRITTEN_MAX = 256
SITE_ENGINES_MAX = 64
DOOR_CERTIFICATES_CHARACTERS_MAX = 64 * 1024
DOOR_SECRETS_MAX = 2
# How long a replaced secret opens a door at least, and how long a gateway that is cut off is waited for.
DOOR_SECRET_KEPT_S_MIN = 5
DOOR_SECRET_KEPT_S_MAX = 600
# A secret that was replaced signs beside the new one for so long, in seconds.
WEBHOOK_SECRET_KEPT_S = 24 * 3600
WEBHOOKS_MAX = 16
DELIVERY_SEND_S_MAX = 10
DELIVERY_LIFE_S = 72 * 3600
DELIVERIES_OPEN_MAX = 4
TOP_UP_PROPOSED_S = 7 * 24 * 3600
LOG_TAIL_CHARACTERS_MAX = 4096
LEASE_LIFE_S = 30
LEASES_TAKEN_MAX = 64
UNIX_SOCKET_PATH_BYTES_MAX = 107
# One run of the archive is one piece of the lease loop's work, which others wait for, and is held in memory.
ARCHIVE_RUN_RECORDS_MAX = 50_000
ARCHIVE_RUN_ENTRIES_MAX = 5_000
# For how long a run reads: what is read by then is written well before the lease ends.
ARCHIVE_RUN_S_MAX = 8
ARCHIVE_READ_RECORDS_MAX = 1_000
ARCHIVE_FILE_RECORDS_MAX = 400_000
ARCHIVE_MERGE_FILES = 8
ARCHIVE_MERGE_DAYS_MAX = 32
ARCHIVE_INTERVAL_S = 60
ARCHIVE_LOOK_S = 5
ARCHIVE_SWEEP_S = 3600
# How long a replaced file is kept for its readers, and how long one that is in no list may be about to be.
ARCHIVE_KEPT_S = 2 * 3600
ANALYSIS_TIMEOUT_S = 60
ANALYSIS_LINES_MAX = 10_000
ANALYSES_AT_ONCE_MAX = 2
ANALYSIS_MEMORY_BYTES_MAX = 1024 * 1024 * 1024
EXPORT_BATCH_RECORDS_MAX = 20_000
EXPORT_TIMEOUT_S = 3600
EXPORTS_AT_ONCE_MAX = 4
# For how many days what may be deleted is kept, at the least: a usage record until its month is closed and its dispute
# window is over, a closed ticket until whatever names it comes late, a quarantined record until a person has looked.
USAGE_DAYS_MIN = 60
TICKETS_DAYS_MIN = 14
QUARANTINE_DAYS_MIN = 30
DELIVERIES_DAYS_MIN = 7
RETENTION_DAYS_MAX = 36_500
ANSWERS_DAYS_DEFAULT = 1
DELIVERIES_DAYS_DEFAULT = 90
# One step of retention: so much is compared, or deleted in one transaction; the rest waits for the next.
RETENTION_ROWS_MAX = 2_000
RETENTION_INTERVAL_S = 3600
# For how long a partition's deletion waits for whoever reads the table: all who come after would wait with it.
RETENTION_LOCK_MS = 200
# Widths of a challenge's matrices, and of its memory in words of 4 bytes: the least is more than a processor's caches hold.
CHALLENGE_WIDTHS = (1024, 2048, 4096, 8192, 16384)
CHALLENGE_WORDS = (2**25, 2**26, 2**28, 2**30)
CHALLENGE_COUNT_MAX = 32
# How many rows or places of a result are asked for after the commitment: a tenth of them wrong passes once in a dozen times.
CHALLENGE_POSITIONS = 24
CHALLENGE_DEADLINE_S_MIN = 10
# For how long a planned round waits for its site to ask, and for how long after a deadline the site's next word is awaited.
CHALLENGE_WAIT_S = 60
CHALLENGE_HEARD_S = 10
# For how long an answer that came in time waits to be checked before its round is judged without it.
CHALLENGE_CHECK_WAIT_S = 3600
# How many answers wait to be checked, each of up to 4.3 MB: of all sites, and of one.
CHALLENGE_CHECKS_WAITING_MAX = 64
CHALLENGE_CHECKS_SITE_MAX = 8
CHALLENGE_PERIOD_S_DEFAULT = 24 * 3600
CHALLENGE_SEEDS_TRIED_MAX = 8
CHALLENGE_DEVICES_MAX = 1024
# A row of the largest result, as base64.
CHALLENGE_LEAF_CHARACTERS_MAX = 16384 * 8 * 4 // 3 + 4
CHALLENGE_PATH_MAX = 32
CHALLENGE_MESSAGE_CHARACTERS_MAX = 256
# A step of a serving challenge is one piece of leased work: its calls begin within one time and end, or are cut, within the other.
SERVING_STEP_S_MAX = 5
SERVING_DRAIN_S = 9
# Longer than a gateway keeps a record before it hands it in, and a platform under load takes to post it.
SERVING_RECORDS_S_MAX = 20
SERVING_CONCURRENCY_MAX = 256
SERVING_CALLS_MAX = 4096
SERVING_OUTPUT_TOKENS_MAX = 1024
# How long gateways may take to know the key of a serving challenge.
SERVING_KEY_S_MAX = 60

# What a ticket may still be spent on is never late.
assert TICKET_LEASE_S + TICKET_LATENESS_S < USAGE_LATE_S_MAX
assert DELIVERY_SEND_S_MAX * 2 <= LEASE_LIFE_S
assert PAGE_ITEMS_DEFAULT <= PAGE_ITEMS_MAX
# A usage record has at most 4 KiB; as lines it has a line end and its parts' numbers more, so the largest batch fits a body.
assert USAGE_BATCH_RECORDS_MAX * (4096 + 40) < API_BODY_BYTES_MAX
# A ticket, a want and a rate of the longest numbers have less than 640 bytes together as JSON.
assert CREDIT_LINES_MAX * 640 < API_BODY_BYTES_MAX
# A file is read for no longer than an answer takes, and written within a lease.
assert max(ANALYSIS_TIMEOUT_S, EXPORT_TIMEOUT_S) < ARCHIVE_KEPT_S
assert LEASE_LIFE_S < ARCHIVE_KEPT_S
assert max(ARCHIVE_RUN_S_MAX, CLOSING_RUN_S_MAX) * 3 < LEASE_LIFE_S
# A month may be closed USAGE_LATE_S_MAX after its end, and its last day disputed for DISPUTE_WINDOW_S from then on.
assert USAGE_DAYS_MIN * 24 * 3600 > USAGE_LATE_S_MAX + DISPUTE_WINDOW_S
# A record that names a ticket which is gone is late, so suspense pays whatever the ticket was.
assert TICKETS_DAYS_MIN * 24 * 3600 > USAGE_LATE_S_MAX + USAGE_EARLY_S_MAX
assert (SERVING_STEP_S_MAX + SERVING_DRAIN_S) * 2 < LEASE_LIFE_S
assert CHALLENGE_POSITIONS * (CHALLENGE_LEAF_CHARACTERS_MAX + CHALLENGE_PATH_MAX * 70) < API_BODY_BYTES_MAX
assert IDEMPOTENCY_KEPT_S <= ANSWERS_DAYS_DEFAULT * 24 * 3600
# Between platforms: a letter, a name in it, a message of a link, what of a link may be under way without an answer, and what
# part of that is the logs' however much state changes.
LETTER_BYTES_MAX = 256 * 1024
LETTER_NAME_CHARACTERS_MAX = 256
LINK_MESSAGE_BYTES_MAX = 1024 * 1024
LINK_WINDOW_BYTES = 2 * 1024 * 1024
LINK_LOG_SHARE_PERCENT = 20
LINK_BATCH_BYTES = 128 * 1024
LINK_BATCH_LETTERS_MAX = 512
# A neighbour that says nothing for so long is gone; each side speaks at least this often.
LINK_PING_MS = 2_500
LINK_SILENCE_MS_MAX = 8_000
LINK_RETRY_S_MAX = 2
URL_CHARACTERS_MAX = 2048
# Clocks further apart than this are alarmed, and one that is a century away is a lie.
LINK_OFFSET_MS_MAX = 30_000
LINK_OFFSET_MS_BOUND = 100 * 366 * 24 * 3_600_000
# How wrong the reckoning of a grant's end may be, once it is corrected by the measured offset: twice the offset that is alarmed.
GRANT_SKEW_S = 60
GRANT_DURATION_S_MIN = 600
# What goes up to a parent: roll-ups at most each second, and while nothing changes this often, so that one who is heard can be told
# from one who is not; a platform that was heard longer ago than this is unknown. What was signed longer ago than the second figure
# is old whenever it came: clocks are not that wrong. Inventories are looked at this often, and told in parts of so many devices.
ROLL_UP_PROOF_S = 5
ROLL_UP_SILENCE_MS_MAX = 15_000
ROLL_UP_STAMP_S_MAX = 900
REGION_INVENTORY_S = 10
REGION_PART_DEVICES = 2_048
REGION_PARTS_MAX = 1_024
GRANT_DURATION_S_MAX = 366 * 24 * 3600
GRANT_DEVICES_MAX = 4096
# Words of a want that its child has not answered; a parent that is cut off asks no more before it has heard something.
GRANT_SENDINGS_MAX = 8
# A parent that names an epoch further ahead of its child's than this is not believed.
GRANT_EPOCH_JUMP_MAX = 1000
# How far a deployment's fence rises at most with one placement.
FENCE_LEAP_MAX = 2**20

assert LETTER_BYTES_MAX + LINK_BATCH_BYTES < LINK_MESSAGE_BYTES_MAX < LINK_WINDOW_BYTES
assert 2 * LINK_PING_MS < LINK_SILENCE_MS_MAX
assert 2 * LINK_OFFSET_MS_MAX <= GRANT_SKEW_S * 1000
# A parent sees half of the shortest grant at least.
assert GRANT_DURATION_S_MIN >= 4 * GRANT_SKEW_S
# A roll-up may be lost on the way twice before its platform is unknown.
assert 3 * ROLL_UP_PROOF_S * 1000 <= ROLL_UP_SILENCE_MS_MAX
# Settlement between platforms: a batch is signed this soon and holds so much; a record this late is its server's risk; a period
# is ended this long after it, so that gateways have handed in what they had; letters of a comparison name so many subtrees.
CROSS_BATCH_S_MAX = 1
CROSS_BATCH_RECORDS_MAX = 128
CROSS_BATCH_BYTES_MAX = 160 * 1024
CROSS_LEAF_BYTES_MAX = 8 * 1024
CROSS_LATENESS_S_MAX = 96 * 3600
PERIOD_GRACE_S = 3600
# A total is told so long after its hour, and what there is to settle is looked for this often, and whenever a record waits.
TOTAL_GRACE_S = 600
SETTLEMENT_INTERVAL_S = 300
SETTLEMENT_BATCHES_MAX = 16
COMPARISON_NODES_MAX = 64
# Of a model that no catalogue here knows: what its template may add to a prompt, and how many tokens it may make.
FOREIGN_TEMPLATE_TOKENS_MAX = 512
FOREIGN_OUTPUT_TOKENS_MAX = 131_072
COMPARISON_LEAVES_MAX = 16
TOTAL_LINES_MAX = 1024

# In a letter a leaf is a text within a text, whose quotes are escaped.
assert 3 * (CROSS_BATCH_BYTES_MAX + CROSS_LEAF_BYTES_MAX) // 2 <= LETTER_BYTES_MAX
