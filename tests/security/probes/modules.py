"""The probes as WebAssembly: the quiet ones in one module, and a module for each that takes more than it may or asks for more than WASI.

Each of those says `ESCAPED` when it was let.
"""

import re
from pathlib import Path

QUIET = Path(__file__).with_name("module.wat")
ATTEMPTS = re.findall(r";; @attempt\n\(func \$(\w+)", QUIET.read_text(encoding="utf-8"))
"""The names of the quiet probes, in their order."""
TEXTS_AT, TOLD_AT = 4096, 512
"""Where the texts of the test and the digits of the probes lie in the module's memory."""
WASI = {
    "args_sizes_get": "i32 i32",
    "environ_get": "i32 i32",
    "environ_sizes_get": "i32 i32",
    "fd_close": "i32",
    "fd_fdstat_get": "i32 i32",
    "fd_filestat_set_size": "i32 i64",
    "fd_pread": "i32 i32 i32 i64 i32",
    "fd_prestat_get": "i32 i32",
    "fd_read": "i32 i32 i32 i32",
    "fd_readdir": "i32 i32 i32 i64 i32",
    "fd_write": "i32 i32 i32 i32",
    "path_create_directory": "i32 i32 i32",
    "path_filestat_get": "i32 i32 i32 i32 i32",
    "path_filestat_set_times": "i32 i32 i32 i32 i64 i64 i32",
    "path_link": "i32 i32 i32 i32 i32 i32 i32",
    "path_open": "i32 i32 i32 i32 i32 i64 i64 i32 i32",
    "path_readlink": "i32 i32 i32 i32 i32 i32",
    "path_remove_directory": "i32 i32 i32",
    "path_rename": "i32 i32 i32 i32 i32 i32",
    "path_symlink": "i32 i32 i32 i32 i32",
    "path_unlink_file": "i32 i32 i32",
    "poll_oneoff": "i32 i32 i32 i32",
}
"""WASI snapshot preview 1, as far as the probes use it: the parameters of each function, all of which return an i32."""


def texts(told: dict[str, str]) -> dict[str, str]:
    """Return what the quiet probes ask for, by the names they have for it."""
    secret, victim = told["secret_path"], f"/proc/{told['victim']}"
    climbing = "../" * 20 + secret.lstrip("/")
    return {
        "secret": secret,
        "below": secret.lstrip("/"),
        "climbing": climbing,
        "own": "own",
        "own_climbing": f"own/{climbing}",
        "link": "link",
        "second": "second",
        "home": str(Path(secret).parent),
        "through_link": f"link/{Path(secret).name}",
        "own_root": f"/proc/self/root{secret}",
        "victim_root": f"{victim}/root{secret}",
        "shared": told["shared_path"],
        "shadow": "/etc/shadow",
        "root": "/",
        "above": "..",
        "planted": told["write_path"],
        "spare": told["spare_path"],
        "program": "/usr/bin/standfast-probe",
        "own_program": "/proc/self/exe",
        "own_environment": "/proc/self/environ",
        "victim_environment": f"{victim}/environ",
        "victim_command": f"{victim}/cmdline",
        "victim_memory": f"{victim}/mem",
        "core_pattern": "/proc/sys/kernel/core_pattern",
        "kernel_log": "/dev/kmsg",
        "device": "/dev/zero",
    }


def quiet(told: dict[str, str]) -> str:
    """Return the module of all quiet probes; it writes a digit for each, in the order of `ATTEMPTS`, 1 where it got out."""
    places: dict[str, str] = {}
    data, at = "", TEXTS_AT
    for name, text in texts(told).items():
        data += f'(data (i32.const {at}) "{text}")\n'
        places |= {f"(at {name})": f"(i32.const {at})", f"(size {name})": f"(i32.const {len(text)})"}
        at += len(text)
    probes = re.sub(r"\((?:at|size) \w+\)", lambda found: places[found.group()], QUIET.read_text(encoding="utf-8"))
    told_of = "\n".join(
        f"(i32.store8 (i32.const {TOLD_AT + number}) (i32.add (i32.const 48) (call ${name})))" for number, name in enumerate(ATTEMPTS)
    )
    says = f"(drop (call $write (i32.const 1) (i32.const {TOLD_AT}) (i32.const {len(ATTEMPTS)})))"
    return f'(module\n{_imports()}\n{data}\n{probes}\n(func (export "_start")\n{told_of}\n{says}))'


def _imports() -> str:
    """Return the imports of WASI."""
    return "\n".join(
        f'(import "wasi_snapshot_preview1" "{name}" (func ${name} (param {takes}) (result i32)))' for name, takes in WASI.items()
    )


def _module(body: str, *, more: str = "", memory: str = '(memory (export "memory") 2)') -> str:
    """Return a module whose `_start` says `ESCAPED` where `body` leaves something other than 0 in `$got`."""
    return f"""(module
{_imports()}
{more}
{memory}
(data (i32.const 64) "ESCAPED\\n")
(func $write (param $fd i32) (param $at i32) (param $size i32) (result i32)
  (i32.store (i32.const 0) (local.get $at)) (i32.store (i32.const 4) (local.get $size))
  (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)))
(func $open (param $at i32) (param $size i32) (result i32)
  (drop (call $path_open (i32.const 3) (i32.const 0) (local.get $at) (local.get $size) (i32.const 9) (i64.const 64) (i64.const 0)
    (i32.const 0) (i32.const 16)))
  (i32.load (i32.const 16)))
(func $wait (param $seconds i64)
  (i64.store (i32.const 120) (i64.mul (local.get $seconds) (i64.const 1000000000)))
  (drop (call $poll_oneoff (i32.const 96) (i32.const 160) (i32.const 1) (i32.const 8))))
(func (export "_start") (local $got i32) (local $i i32) (local $n i64)
{body}
(if (local.get $got) (then (drop (call $write (i32.const 1) (i32.const 64) (i32.const 8)))))))"""


def _repeated(times: int, body: str) -> str:
    """Return a loop over `$i`."""
    return f"""(local.set $i (i32.const 0))
(loop $on {body}
  (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if $on (i32.lt_u (local.get $i) (i32.const {times}))))"""


GOT = "(local.set $got (i32.const 1))"
STACK_VALUES, STACK_CALLS = 128, 1400
"""Each call keeps so many values of 8 bytes: in all more than the 1 MiB of a sandbox, less than the 2 MiB that wasmtime can give."""
BLOCK = "(i32.const 4096) (i32.const 60000)"
"""60,000 bytes."""


def _asks(module: str, name: str, arguments: tuple[int, ...]) -> str:
    """Return a module that calls a function which no sandbox has; it gives something other than 0 where there is one."""
    given = " ".join(f"(i32.const {each})" for each in arguments)
    shape = " ".join("i32" for _ in arguments)
    return _module(
        f"(local.set $got (call $asked {given}))", more=f'(import "{module}" "{name}" (func $asked (param {shape}) (result i32)))'
    )


def loud(seconds: int, told: dict[str, str]) -> dict[str, str]:
    """Return the modules that take more than a sandbox grants, by name; those that hold what they took hold it for so many seconds."""
    held = f"(call $wait (i64.const {seconds})) {GOT}"
    return {
        "processor": _module(
            f"""(loop $on (local.set $n (i64.add (local.get $n) (i64.const 1)))
  (br_if $on (i64.lt_u (local.get $n) (i64.const 300000000)))) {GOT}"""
        ),
        "time": _module(held),
        "output": _module(_repeated(100, f"(drop (call $write (i32.const 1) {BLOCK}))") + GOT),
        "a program": _asks("env", "system", (64,)),
        "a thread": _asks("wasi", "thread-spawn", (0,)),
        "a socket": _asks("wasi_snapshot_preview1", "sock_connect", (int(told["tcp_port"]),)),
        "instructions of threads": _module(f"(drop (i32.atomic.rmw.add (i32.const 256) (i32.const 1))) {GOT}"),
        **_memory(),
        **_disk(held),
    }


def _memory() -> dict[str, str]:
    """Return those that take memory."""
    names = [f"$v{each}" for each in range(STACK_VALUES)]
    return {
        "memory that grows": _module("(local.set $got (i32.ne (memory.grow (i32.const 4096)) (i32.const -1)))"),
        "memory from the start": _module(GOT, memory='(memory (export "memory") 4096)'),
        "memory in two memories": _module(GOT, memory='(memory (export "memory") 512) (memory $other 1024)'),
        "table that grows": _module(
            "(local.set $got (i32.ne (table.grow $t (ref.null func) (i32.const 2000000)) (i32.const -1)))", more="(table $t 1 funcref)"
        ),
        "tables": _module(GOT, more="(table 1 funcref) " * 20),
        "stack": _module(
            f"(drop (call $down (i32.const {STACK_CALLS}))) {GOT}",
            more=f"""(func $down (param $left i32) (result i64) {" ".join(f"(local {each} i64)" for each in names)}
{" ".join(f"(local.set {each} (i64.load (i32.const {8 * number})))" for number, each in enumerate(names))}
  (if (local.get $left) (then (local.set $v0 (call $down (i32.sub (local.get $left) (i32.const 1))))))
{" ".join(f"(local.get {each})" for each in names)} {"i64.add " * (STACK_VALUES - 1)})""",
        ),
    }


def _disk(held: str) -> dict[str, str]:
    """Return those that take disk."""
    written = f"(if (call $write (i32.wrap_i64 (local.get $n)) {BLOCK}) (then (return)))"
    named = """(i32.store8 (i32.const 80) (i32.add (i32.const 65) (local.get $i)))
  (local.set $n (i64.extend_i32_u (call $open (i32.const 80) (i32.const 1))))"""
    return {
        "disk in one file": _module(
            "(local.set $n (i64.extend_i32_u (call $open (i32.const 64) (i32.const 3))))" + _repeated(100, written) + GOT
        ),
        "disk in several files": _module(_repeated(8, named + written * 12) + held),
    }
