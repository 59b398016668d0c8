"""The programs of the conformance suite as WebAssembly: written as text, put together here, compiled by the subject's `compile`."""

IMPORTS = {
    "fd_write": "(param i32 i32 i32 i32) (result i32)",
    "fd_read": "(param i32 i32 i32 i32) (result i32)",
    "path_open": "(param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)",
    "path_symlink": "(param i32 i32 i32 i32 i32) (result i32)",
    "proc_exit": "(param i32)",
    "environ_sizes_get": "(param i32 i32) (result i32)",
    "poll_oneoff": "(param i32 i32 i32 i32) (result i32)",
}
"""WASI snapshot preview 1, as far as the programs use it."""
CREATE, TRUNCATE, FOLLOW = 1, 8, 1
"""WASI oflags and lookupflags."""
READ, WRITE = 1 << 1, 1 << 6
"""WASI rights fd_read and fd_write."""
PREOPENED = 3
"""The first preopened folder's descriptor: the work folder."""


def module(body: str, data: str = "") -> str:
    """Return a module with `body` as its `_start`; at 1024 lies `data`, at 0 to 63 is room for iovecs and results."""
    imported = "\n".join(f'(import "wasi_snapshot_preview1" "{name}" (func ${name} {shape}))' for name, shape in IMPORTS.items())
    return f"""(module
{imported}
(memory (export "memory") 1)
(data (i32.const 1024) "{data}")
(func $say (param $fd i32) (param $at i32) (param $size i32)
  (i32.store (i32.const 0) (local.get $at)) (i32.store (i32.const 4) (local.get $size))
  (drop (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))))
(func $open (param $at i32) (param $size i32) (param $how i32) (param $rights i64) (result i32)
  (if (call $path_open (i32.const {PREOPENED}) (i32.const {FOLLOW}) (local.get $at) (local.get $size) (local.get $how)
        (local.get $rights) (local.get $rights) (i32.const 0) (i32.const 16)) (then (return (i32.const -1))))
  (i32.load (i32.const 16)))
(func $read (param $fd i32) (result i32)
  (i32.store (i32.const 0) (i32.const 4096)) (i32.store (i32.const 4) (i32.const 4096))
  (if (call $fd_read (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)) (then (return (i32.const 0))))
  (i32.load (i32.const 8)))
(func (export "_start") (local $i i32)
{body}))"""


def says(text: str, *, fd: int = 1) -> str:
    """Return a module that writes one text."""
    return module(f"(call $say (i32.const {fd}) (i32.const 1024) (i32.const {len(text)}))", text)


def shows(name: str, otherwise: str = "") -> str:
    """Return a module that writes a file's first 4 kB to standard output, or `otherwise` when it cannot open it."""
    body = f"""(local.set $i (call $open (i32.const 1024) (i32.const {len(name)}) (i32.const 0) (i64.const {READ})))
(if (i32.eq (local.get $i) (i32.const -1))
  (then (call $say (i32.const 1) (i32.const {1024 + len(name)}) (i32.const {len(otherwise)})))
  (else (call $say (i32.const 1) (i32.const 4096) (call $read (local.get $i)))))"""
    return module(body, name + otherwise)


def writes(name: str, text: str) -> str:
    """Return a module that makes a file; it fails with 1 when it cannot."""
    how, rights = CREATE | TRUNCATE, WRITE
    body = f"""(local.set $i (call $open (i32.const 1024) (i32.const {len(name)}) (i32.const {how}) (i64.const {rights})))
(if (i32.eq (local.get $i) (i32.const -1)) (then (call $proc_exit (i32.const 1))))
(call $say (local.get $i) (i32.const {1024 + len(name)}) (i32.const {len(text)}))"""
    return module(body, name + text)


FAILS = module("(call $say (i32.const 2) (i32.const 1024) (i32.const 9)) (call $proc_exit (i32.const 1))", "wrong sum")
ENVIRONMENT = module(
    """(drop (call $environ_sizes_get (i32.const 32) (i32.const 36)))
(if (i32.load (i32.const 32)) (then (call $say (i32.const 1) (i32.const 1024) (i32.const 11))))""",
    "do-not-leak",
)
"""Tells the canary's name when there is any environment at all."""
LOOPS = module("(loop $on (br $on))")
WAIT = """(i64.store (i32.const 120) (i64.const 900000000000))
(drop (call $poll_oneoff (i32.const 96) (i32.const 160) (i32.const 1) (i32.const 8)))"""
SLEEPS = module(f"(loop $on {WAIT} (br $on))")
GREETS_THEN_SLEEPS = module(f"(call $say (i32.const 1) (i32.const 1024) (i32.const 6)) (loop $on {WAIT} (br $on))", "hello\\n")
EATS = module("(loop $on (br_if $on (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable")
FLOODS = module("(loop $on (call $say (i32.const 1) (i32.const 1024) (i32.const 4096)) (br $on))")
