"""The SQL of `selects.py`, compiled by `python -m adapters.postgres.reads`: change it there. A test compares the two."""

API_KEY = b"""
SELECT api_keys.tenant_id, api_keys.key_id, api_keys.principal, api_keys.secret_hmac, api_keys.created_at, api_keys.revoked_at
FROM api_keys
WHERE api_keys.tenant_id = %(tenant)s::VARCHAR AND api_keys.key_id = %(key_id)s::VARCHAR
"""

DEFINITION_VERSION = b"""
SELECT definition_versions.tenant_id, definition_versions.name, definition_versions.version, definition_versions.sha256,
    definition_versions.document, definition_versions.input_schema, definition_versions.config_schema,
    definition_versions.config_defaults, definition_versions.tools, definition_versions.registered_at, definition_versions.registered_by
FROM definition_versions
WHERE definition_versions.tenant_id = %(tenant)s::VARCHAR AND definition_versions.name = %(name)s::VARCHAR AND
    definition_versions.version = %(version)s::VARCHAR
"""

DEFINITION_VERSIONS = b"""
SELECT definition_versions.tenant_id, definition_versions.name, definition_versions.version, definition_versions.sha256,
    definition_versions.document, definition_versions.input_schema, definition_versions.config_schema,
    definition_versions.config_defaults, definition_versions.tools, definition_versions.registered_at, definition_versions.registered_by
FROM definition_versions
WHERE definition_versions.tenant_id = %(tenant)s::VARCHAR ORDER BY definition_versions.name
"""

VERSIONS_OF_DEFINITION = b"""
SELECT definition_versions.version
FROM definition_versions
WHERE definition_versions.tenant_id = %(tenant)s::VARCHAR AND definition_versions.name = %(name)s::VARCHAR
"""

DEFINITION_NAMES = b"""
SELECT DISTINCT definition_versions.name
FROM definition_versions
WHERE definition_versions.tenant_id = %(tenant)s::VARCHAR ORDER BY definition_versions.name
LIMIT 20
"""

RUN_BY_ID = b"""
SELECT runs.tenant_id, runs.run, runs.definition, runs.version, runs.definition_sha256, runs.principal, runs.correlation_id,
    runs.fingerprint, runs.expression_engine, runs.status, runs.reason, runs.waits_for, runs.error, runs.epoch, runs.temporal_run_id,
    runs.fact_head, runs.projection_epoch, runs.projection_fact_seq, runs.head_seq, runs.head_hash, runs.input_ref, runs.config_ref,
    runs.result_ref, runs.input_labels, runs.input_tokens, runs.output_tokens, runs.cost_usd_micros, runs.model, runs.created_at,
    runs.updated_at, runs.closed_at, runs.unsealed, runs.parent_run, runs.fork_step, runs.fork_effects, runs.subject, runs.subject_key,
    runs.erased_at, runs.erasure, runs.residue, runs.residue_objects, runs.residue_histories
FROM runs
WHERE runs.tenant_id = %(tenant)s::VARCHAR AND runs.run = %(run)s::VARCHAR
"""

RUN_PAGE = b"""
SELECT runs.tenant_id, runs.run, runs.definition, runs.version, runs.definition_sha256, runs.principal, runs.correlation_id,
    runs.fingerprint, runs.expression_engine, runs.status, runs.reason, runs.waits_for, runs.error, runs.epoch, runs.temporal_run_id,
    runs.fact_head, runs.projection_epoch, runs.projection_fact_seq, runs.head_seq, runs.head_hash, runs.input_ref, runs.config_ref,
    runs.result_ref, runs.input_labels, runs.input_tokens, runs.output_tokens, runs.cost_usd_micros, runs.model, runs.created_at,
    runs.updated_at, runs.closed_at, runs.unsealed, runs.parent_run, runs.fork_step, runs.fork_effects, runs.subject, runs.subject_key,
    runs.erased_at, runs.erasure, runs.residue, runs.residue_objects, runs.residue_histories
FROM runs
WHERE runs.tenant_id = %(tenant)s::VARCHAR AND (%(any_status)s OR runs.status = any(%(statuses)s)) AND (%(definition)s::VARCHAR IS NULL
    OR runs.definition = %(definition)s::VARCHAR) AND (runs.created_at, runs.run) < (%(created_at)s, %(run)s) ORDER BY runs.created_at
    DESC, runs.run DESC
LIMIT %(limit)s
"""

OLD_ACCEPTED = b"""
SELECT runs.tenant_id, runs.run, runs.definition, runs.version, runs.definition_sha256, runs.principal, runs.correlation_id,
    runs.fingerprint, runs.expression_engine, runs.status, runs.reason, runs.waits_for, runs.error, runs.epoch, runs.temporal_run_id,
    runs.fact_head, runs.projection_epoch, runs.projection_fact_seq, runs.head_seq, runs.head_hash, runs.input_ref, runs.config_ref,
    runs.result_ref, runs.input_labels, runs.input_tokens, runs.output_tokens, runs.cost_usd_micros, runs.model, runs.created_at,
    runs.updated_at, runs.closed_at, runs.unsealed, runs.parent_run, runs.fork_step, runs.fork_effects, runs.subject, runs.subject_key,
    runs.erased_at, runs.erasure, runs.residue, runs.residue_objects, runs.residue_histories
FROM runs
WHERE runs.tenant_id = %(tenant)s::VARCHAR AND runs.status = 'accepted' AND runs.epoch IS NULL AND runs.created_at < clock_timestamp() -
    %(seconds)s * interval '1 second' AND runs.parent_run IS NULL ORDER BY runs.created_at
LIMIT %(limit)s
"""

OPEN_RUNS = b"""
SELECT runs.tenant_id, runs.run, runs.definition, runs.version, runs.definition_sha256, runs.principal, runs.correlation_id,
    runs.fingerprint, runs.expression_engine, runs.status, runs.reason, runs.waits_for, runs.error, runs.epoch, runs.temporal_run_id,
    runs.fact_head, runs.projection_epoch, runs.projection_fact_seq, runs.head_seq, runs.head_hash, runs.input_ref, runs.config_ref,
    runs.result_ref, runs.input_labels, runs.input_tokens, runs.output_tokens, runs.cost_usd_micros, runs.model, runs.created_at,
    runs.updated_at, runs.closed_at, runs.unsealed, runs.parent_run, runs.fork_step, runs.fork_effects, runs.subject, runs.subject_key,
    runs.erased_at, runs.erasure, runs.residue, runs.residue_objects, runs.residue_histories
FROM runs
WHERE runs.tenant_id = %(tenant)s::VARCHAR AND runs.closed_at IS NULL AND runs.epoch IS NOT NULL AND runs.updated_at < clock_timestamp()
    - %(seconds)s * interval '1 second' AND NOT (EXISTS (SELECT *
FROM continuations
WHERE continuations.tenant_id = runs.tenant_id AND continuations.run = runs.run AND continuations.started_at IS NULL)) ORDER BY
    runs.updated_at
LIMIT %(limit)s
"""

PAYLOAD_OF_RUN = b"""
SELECT payloads.tenant_id, payloads.ref, payloads.run, payloads.sealed, payloads.created_at
FROM payloads
WHERE payloads.tenant_id = %(tenant)s::VARCHAR AND payloads.ref = any(%(refs)s)
"""

EFFECTS_OF_RUN = b"""
SELECT effects.tenant_id, effects.run, effects.step, effects.visit, effects.call, effects.digest, effects.diverged_digest,
    effects.epoch, effects.attempt, effects.lease_token, effects.lease_until, effects.effect_class, effects.retry_class,
    effects.subject, effects.state, effects.started_at, effects.ended_at, effects.request_ref, effects.output_ref,
    effects.output_digest, effects.error, effects.input_tokens, effects.output_tokens, effects.cost_usd_micros, effects.duration_ms,
    effects.model
FROM effects
WHERE effects.tenant_id = %(tenant)s::VARCHAR AND effects.run = %(run)s::VARCHAR ORDER BY effects.started_at, effects.step,
    effects.visit, effects.call
"""

ENTRIES_OF_RUN = b"""
SELECT ledger_entries.tenant_id, ledger_entries.run, ledger_entries.seq, ledger_entries.recorded_at, ledger_entries.prev,
    ledger_entries.hash, ledger_entries.body, ledger_entries.kind, ledger_entries.principal, ledger_entries.epoch,
    ledger_entries.fact_seq, ledger_entries.step, ledger_entries.payload_digest, ledger_entries.fact_digest
FROM ledger_entries
WHERE ledger_entries.tenant_id = %(tenant)s::VARCHAR AND ledger_entries.run = %(run)s::VARCHAR AND ledger_entries.seq >
    %(after)s::BIGINT ORDER BY ledger_entries.seq
LIMIT %(limit)s
"""

FACTS_OF_RUN = b"""
SELECT ledger_entries.tenant_id, ledger_entries.run, ledger_entries.seq, ledger_entries.recorded_at, ledger_entries.prev,
    ledger_entries.hash, ledger_entries.body, ledger_entries.kind, ledger_entries.principal, ledger_entries.epoch,
    ledger_entries.fact_seq, ledger_entries.step, ledger_entries.payload_digest, ledger_entries.fact_digest
FROM ledger_entries
WHERE ledger_entries.tenant_id = %(tenant)s::VARCHAR AND ledger_entries.run = %(run)s::VARCHAR AND ledger_entries.fact_seq IS NOT NULL
    ORDER BY ledger_entries.seq
"""

MESSAGE_SLICE = b"""
SELECT messages.tenant_id, messages.run, messages.conversation, messages.ordinal, messages.digest, messages.sealed, messages.created_at
FROM messages
WHERE messages.tenant_id = %(tenant)s::VARCHAR AND messages.run = %(run)s::VARCHAR AND messages.conversation = %(conversation)s::VARCHAR
    AND messages.ordinal BETWEEN %(first)s::INTEGER AND %(last)s::INTEGER ORDER BY messages.ordinal
"""

APPROVAL = b"""
SELECT approvals.tenant_id, approvals.approval, approvals.run, approvals.definition, approvals.step, approvals.visit, approvals.state,
    approvals.digest, approvals.reviewer_role, approvals.exclude_requester, approvals.requester, approvals.opened_at,
    approvals.deadline, approvals.sealed, approvals.decision_id, approvals.decided_by, approvals.decided_at, approvals.comment_sealed,
    approvals.reviewer_roles, approvals.delegates, approvals.rules, approvals.standing, approvals.revision, approvals.amended_by,
    approvals.due, approvals.assignee, approvals.assigned_by, approvals.assigned_at
FROM approvals
WHERE approvals.tenant_id = %(tenant)s::VARCHAR AND approvals.approval = %(approval)s::VARCHAR
"""

APPROVALS_OF_RUN = b"""
SELECT approvals.tenant_id, approvals.approval, approvals.run, approvals.definition, approvals.step, approvals.visit, approvals.state,
    approvals.digest, approvals.reviewer_role, approvals.exclude_requester, approvals.requester, approvals.opened_at,
    approvals.deadline, approvals.sealed, approvals.decision_id, approvals.decided_by, approvals.decided_at, approvals.comment_sealed,
    approvals.reviewer_roles, approvals.delegates, approvals.rules, approvals.standing, approvals.revision, approvals.amended_by,
    approvals.due, approvals.assignee, approvals.assigned_by, approvals.assigned_at
FROM approvals
WHERE approvals.tenant_id = %(tenant)s::VARCHAR AND approvals.run = %(run)s::VARCHAR ORDER BY approvals.opened_at
"""

DECISION = b"""
SELECT decisions.tenant_id, decisions.decision_id, decisions.run, decisions.approval, decisions.verdict, decisions.digest,
    decisions.comment_sealed, decisions.principal, decisions.attestation, decisions.state, decisions.refusal, decisions.stored_at,
    decisions.content_sealed
FROM decisions
WHERE decisions.tenant_id = %(tenant)s::VARCHAR AND decisions.decision_id = %(decision)s::VARCHAR
"""

UNSETTLED_DECISIONS = b"""
SELECT decisions.tenant_id, decisions.decision_id, decisions.run, decisions.approval, decisions.verdict, decisions.digest,
    decisions.comment_sealed, decisions.principal, decisions.attestation, decisions.state, decisions.refusal, decisions.stored_at,
    decisions.content_sealed
FROM decisions
WHERE decisions.tenant_id = %(tenant)s::VARCHAR AND decisions.state = 'stored' AND decisions.stored_at < clock_timestamp() - %(seconds)s
    * interval '1 second' ORDER BY decisions.stored_at
LIMIT %(limit)s
"""

TASK = b"""
SELECT tasks.tenant_id, tasks.task, tasks.run, tasks.kind, tasks.step, tasks.visit, tasks.call, tasks.state, tasks.sealed,
    tasks.opened_at, tasks.resolution, tasks.completed_by, tasks.completed_at, tasks.output_ref, tasks.delivered, tasks.role,
    tasks.assignee, tasks.priority, tasks.due, tasks.stages, tasks.level, tasks.breached_at, tasks.own, tasks.created_by, tasks.next_at,
    tasks.answer_sealed
FROM tasks
WHERE tasks.tenant_id = %(tenant)s::VARCHAR AND tasks.task = %(task)s::VARCHAR
"""

TASK_PAGE = b"""
SELECT tasks.tenant_id, tasks.task, tasks.run, tasks.kind, tasks.step, tasks.visit, tasks.call, tasks.state, tasks.sealed,
    tasks.opened_at, tasks.resolution, tasks.completed_by, tasks.completed_at, tasks.output_ref, tasks.delivered, tasks.role,
    tasks.assignee, tasks.priority, tasks.due, tasks.stages, tasks.level, tasks.breached_at, tasks.own, tasks.created_by, tasks.next_at,
    tasks.answer_sealed
FROM tasks
WHERE tasks.tenant_id = %(tenant)s::VARCHAR AND (%(state)s::VARCHAR IS NULL OR tasks.state = %(state)s::VARCHAR) AND (tasks.opened_at,
    tasks.task) > (%(opened_at)s, %(task)s) ORDER BY tasks.opened_at, tasks.task
LIMIT %(limit)s
"""

TASKS_OF_RUN = b"""
SELECT tasks.tenant_id, tasks.task, tasks.run, tasks.kind, tasks.step, tasks.visit, tasks.call, tasks.state, tasks.sealed,
    tasks.opened_at, tasks.resolution, tasks.completed_by, tasks.completed_at, tasks.output_ref, tasks.delivered, tasks.role,
    tasks.assignee, tasks.priority, tasks.due, tasks.stages, tasks.level, tasks.breached_at, tasks.own, tasks.created_by, tasks.next_at,
    tasks.answer_sealed
FROM tasks
WHERE tasks.tenant_id = %(tenant)s::VARCHAR AND tasks.run = %(run)s::VARCHAR
"""

UNDELIVERED_TASKS = b"""
SELECT tasks.tenant_id, tasks.task, tasks.run, tasks.kind, tasks.step, tasks.visit, tasks.call, tasks.state, tasks.sealed,
    tasks.opened_at, tasks.resolution, tasks.completed_by, tasks.completed_at, tasks.output_ref, tasks.delivered, tasks.role,
    tasks.assignee, tasks.priority, tasks.due, tasks.stages, tasks.level, tasks.breached_at, tasks.own, tasks.created_by, tasks.next_at,
    tasks.answer_sealed
FROM tasks
WHERE tasks.tenant_id = %(tenant)s::VARCHAR AND NOT tasks.delivered ORDER BY tasks.opened_at, tasks.task
LIMIT %(limit)s
"""

TREE_HEAD = b"""
SELECT tree_heads.tenant_id, tree_heads.tree_size, tree_heads.root_hash, tree_heads.signed_at, tree_heads.key_id, tree_heads.signature,
    tree_heads.sealer_epoch
FROM tree_heads
WHERE tree_heads.tenant_id = %(tenant)s::VARCHAR AND tree_heads.tree_size = %(tree_size)s::BIGINT
"""

TREE_HEAD_PAGE = b"""
SELECT tree_heads.tenant_id, tree_heads.tree_size, tree_heads.root_hash, tree_heads.signed_at, tree_heads.key_id, tree_heads.signature,
    tree_heads.sealer_epoch
FROM tree_heads
WHERE tree_heads.tenant_id = %(tenant)s::VARCHAR AND tree_heads.tree_size < %(before)s::BIGINT ORDER BY tree_heads.tree_size DESC
LIMIT %(limit)s
"""

TREE_MILESTONES = b"""
SELECT tree_heads.tenant_id, tree_heads.tree_size, tree_heads.root_hash, tree_heads.signed_at, tree_heads.key_id, tree_heads.signature,
    tree_heads.sealer_epoch
FROM tree_heads
WHERE tree_heads.tenant_id = %(tenant)s::VARCHAR AND tree_heads.tree_size IN (SELECT max(tree_heads.tree_size) AS max_1
FROM tree_heads
WHERE tree_heads.tenant_id = %(tenant)s::VARCHAR GROUP BY tree_heads.key_id) ORDER BY tree_heads.tree_size
"""

SIGNING_KEYS = b"""
SELECT signing_keys.tenant_id, signing_keys.key_id, signing_keys.generation, signing_keys.public_key, signing_keys.valid_from,
    signing_keys.valid_to
FROM signing_keys
WHERE signing_keys.tenant_id = %(tenant)s::VARCHAR ORDER BY signing_keys.generation
"""

LEAVES_OF_RUN = b"""
SELECT ledger_leaves.tenant_id, ledger_leaves.leaf_index, ledger_leaves.run, ledger_leaves.seq, ledger_leaves.entry_hash
FROM ledger_leaves
WHERE ledger_leaves.tenant_id = %(tenant)s::VARCHAR AND ledger_leaves.run = %(run)s::VARCHAR AND ledger_leaves.seq > %(after)s::BIGINT
    AND ledger_leaves.leaf_index < %(tree_size)s::BIGINT ORDER BY ledger_leaves.seq
LIMIT %(limit)s
"""

ERASURE = b"""
SELECT erasures.tenant_id, erasures.erasure, erasures.mode, erasures.subject, erasures.requested_by, erasures.requested_at,
    erasures.completed_at, erasures.runs, erasures.subject_keys, erasures.payloads, erasures.messages, erasures.approvals,
    erasures.tasks, erasures.answers, erasures.objects, erasures.histories
FROM erasures
WHERE erasures.tenant_id = %(tenant)s::VARCHAR AND erasures.erasure = %(erasure)s::VARCHAR
"""

ERASURE_PAGE = b"""
SELECT erasures.tenant_id, erasures.erasure, erasures.mode, erasures.subject, erasures.requested_by, erasures.requested_at,
    erasures.completed_at, erasures.runs, erasures.subject_keys, erasures.payloads, erasures.messages, erasures.approvals,
    erasures.tasks, erasures.answers, erasures.objects, erasures.histories
FROM erasures
WHERE erasures.tenant_id = %(tenant)s::VARCHAR AND (erasures.requested_at, erasures.erasure) > (%(requested_at)s, %(erasure)s) ORDER BY
    erasures.requested_at, erasures.erasure
LIMIT %(limit)s
"""

RETENTION_RULES = b"""
SELECT retention_rules.tenant_id, retention_rules.definition, retention_rules.keep_days, retention_rules.set_by, retention_rules.set_at
FROM retention_rules
WHERE retention_rules.tenant_id = %(tenant)s::VARCHAR ORDER BY retention_rules.definition
"""

LEGAL_HOLD = b"""
SELECT legal_holds.tenant_id, legal_holds.hold, legal_holds.scope, legal_holds.name, legal_holds.reason_sealed, legal_holds.placed_by,
    legal_holds.placed_at, legal_holds.released_by, legal_holds.released_at
FROM legal_holds
WHERE legal_holds.tenant_id = %(tenant)s::VARCHAR AND legal_holds.hold = %(hold)s::VARCHAR
"""

LEGAL_HOLDS = b"""
SELECT legal_holds.tenant_id, legal_holds.hold, legal_holds.scope, legal_holds.name, legal_holds.reason_sealed, legal_holds.placed_by,
    legal_holds.placed_at, legal_holds.released_by, legal_holds.released_at
FROM legal_holds
WHERE legal_holds.tenant_id = %(tenant)s::VARCHAR AND (%(all)s OR legal_holds.released_at IS NULL) ORDER BY legal_holds.placed_at,
    legal_holds.hold
"""
