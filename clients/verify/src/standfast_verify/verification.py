"""All checks of a bundle, in the order in which they build on each other: chain, bodies, keys, heads, leaves, memory."""

from collections.abc import Mapping, Sequence

from standfast_verify.bundle import Bundle, Entry, PublicKey, TreeHead
from standfast_verify.chain import by_run, chain_problems
from standfast_verify.facts import body_problems, is_finished
from standfast_verify.findings import BadInput, Problem, Report, counted
from standfast_verify.heads import Growth, by_size, fork_problems, recomputed_problems
from standfast_verify.keys import effective_keys, key_problems, signature_problems
from standfast_verify.leaves import inclusion_problems, missing_leaf_problems, place_problems, roots_of, unproven


def verify_bundle(bundle: Bundle, *, trusted: Mapping[str, PublicKey] | None = None, remembered: Sequence[TreeHead] = ()) -> Report:
    """Check everything in a bundle.

    Args:
        bundle: What was read.
        trusted: Keys by id that the caller got by another way; None: the bundle's own, which prove only that it fits itself.
        remembered: Tree heads that the caller kept from earlier; those of other tenants are left out, as an anchor's file has them.

    Raises:
        BadInput: there are remembered heads, and none is of the bundle's tenant.
    """
    own = [head for head in remembered if head.tenant == bundle.tenant]
    if remembered and not own:
        raise BadInput(f"the bundle is of tenant {bundle.tenant}, and every remembered head of another, such as {remembered[0].tenant}")
    return _Check(bundle, trusted, own).report()


class _Check:
    """One verification; the methods are its stages."""

    def __init__(self, bundle: Bundle, trusted: Mapping[str, PublicKey] | None, remembered: Sequence[TreeHead]) -> None:
        self._bundle = bundle
        self._trusted = trusted
        self._remembered = remembered
        self._runs = by_run(bundle.entries)
        self._heads = by_size(bundle.tree_heads)
        self._problems: list[Problem] = []
        self._notes: list[str] = []

    def report(self) -> Report:
        """Run all stages."""
        self._check_runs()
        self._check_keys()
        self._check_log()
        newest = self._heads[max(self._heads)] if self._heads else None
        return Report(
            tenant=self._bundle.tenant,
            runs=len(self._runs),
            entries=len(self._bundle.entries),
            sealed=sum(entry.leaf_index is not None for entry in self._bundle.entries),
            heads=len(self._bundle.tree_heads),
            tree_size=newest.tree_size if newest else 0,
            root_hash=newest.root.hex() if newest else "",
            signed_at_us=newest.timestamp_us if newest else 0,
            trusted=self._trusted is not None,
            remembered=len(self._remembered),
            problems=self._problems,
            notes=self._notes,
        )

    def _check_runs(self) -> None:
        asked = self._bundle.run
        if asked is not None and asked not in self._runs:
            self._problems.append(Problem(run=asked, reason="the bundle is of this run and has no entry of it"))
        open_runs: list[str] = []
        for run, entries in self._runs.items():
            if asked is not None and run != asked:
                self._problems.append(Problem(run=run, seq=entries[0].seq, reason=f"it stands in a bundle of run {asked}"))
            found = list(chain_problems(self._bundle.tenant, run, entries))
            # Bodies whose chain is broken would only repeat what is known already.
            found = found or list(body_problems(entries))
            self._problems += found
            if not found and not is_finished(entries):
                open_runs.append(run)
        if open_runs and asked is not None:
            self._notes.append(f"run {asked} had not ended: entries after its last would be missed only in a bundle of the whole tenant")

    def _check_keys(self) -> None:
        bundle, trusted = self._bundle, self._trusted
        self._problems += key_problems(bundle.public_keys, trusted)
        keys = effective_keys(bundle.public_keys, trusted)
        for head in bundle.tree_heads:
            self._problems += signature_problems(head, bundle.tenant, keys)
        if not bundle.tree_heads:
            said = "the bundle holds no signed tree head, so nobody vouches for its entries: the sealer signs within a minute, export again"
            if trusted is None:
                self._notes.append(said)
            else:
                self._problems.append(Problem(reason=said))

    def _check_log(self) -> None:
        bundle, heads = self._bundle, self._heads
        self._problems += place_problems(self._runs, heads)
        self._problems += inclusion_problems(bundle.inclusion, bundle.entries, heads)
        roots = self._recomputed()
        for entry in unproven(bundle) if roots is None else ():
            self._problems.append(
                Problem(run=entry.run, seq=entry.seq, reason="it is sealed, and the bundle has no proof of inclusion for it")
            )
        self._check_growth(roots)
        self._note_unsealed()

    def _recomputed(self) -> Mapping[int, bytes] | None:
        """Return all wanted roots over the bundle's own entries; None when it does not hold a tenant's whole ledger."""
        if self._bundle.run is not None:
            return None
        newest = max(self._heads, default=0)
        self._problems += missing_leaf_problems(self._bundle.entries, newest)
        wanted = {*self._heads, *(head.tree_size for head in self._remembered if head.tree_size <= newest)}
        return roots_of(self._bundle.entries, wanted)

    def _check_growth(self, roots: Mapping[int, bytes] | None) -> None:
        heads = self._bundle.tree_heads
        growth = Growth(heads, self._remembered, self._bundle.consistency)
        self._problems += fork_problems(heads)
        self._problems += growth.proof_problems()
        if roots is None:
            self._problems += growth.gap_problems()
            self._problems += growth.memory_problems()
            self._note_uncompared(growth)
            return
        self._problems += recomputed_problems(heads, roots, whose="its")
        self._problems += recomputed_problems([head for head in self._remembered if head.tree_size in roots], roots, whose="the remembered")
        self._problems += [problem for problem in growth.memory_problems() if problem.tree_size not in roots]

    def _note_uncompared(self, growth: Growth) -> None:
        older = len(growth.uncompared())
        if older:
            named = counted(older, "older remembered head was", "older remembered heads were")
            self._notes.append(f"{named} not compared, since the bundle has no proofs from them: one of the whole tenant compares all")

    def _note_unsealed(self) -> None:
        waiting: list[Entry] = [entry for entry in self._bundle.entries if entry.leaf_index is None]
        if waiting:
            runs = counted(len({entry.run for entry in waiting}), "run", "runs")
            named = counted(len(waiting), "entry", "entries")
            self._notes.append(f"{named} of {runs} not sealed yet, newer than the newest head: only the chain speaks for them")
