"""Escapes and abuse tried by Python in Monty. Each succeeds in the weak control, which is CPython itself.

PROOF B22. A probe that does not succeed in the control proves nothing, so that is a failure too.
"""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from adapters.sandboxes.monty import MontySandbox
from domain.sandbox import MIB, SandboxProfile, SandboxResult

CONTROL = Path(__file__).with_name("probes") / "plain_python.py"
FEWEST = 40
"""PROOF B22: at least so many probes."""
PROFILE = SandboxProfile(
    name="probed", backend="monty", wall_s=60.0, cpu_s=20.0, memory_bytes=64 * MIB, disk_bytes=2 * MIB, output_bytes=4096
)
QUIET = {
    "a file by its path": "print('canary' in open({secret_path!r}).read())",
    "a file by climbing": "print('canary' in open('../' * 20 + {secret_path!r}).read())",
    "a file by pathlib": "from pathlib import Path\nprint('canary' in Path({secret_path!r}).read_text())",
    "a file by its descriptor": "import os\nprint(b'canary' in os.read(os.open({secret_path!r}, os.O_RDONLY), 99))",
    "a file by another module": "import io\nprint('canary' in io.open({secret_path!r}).read())",
    "a file by its lines": "import linecache\nprint('canary' in linecache.getline({secret_path!r}, 1))",
    "a file by a link": "import os\nos.symlink({secret_path!r}, 'link')\nprint('canary' in open('link').read())\nos.unlink('link')",
    "a file by a copy": "import shutil\nshutil.copyfile({secret_path!r}, 'copy')\nprint('canary' in open('copy').read())",
    "a file through another process": "print('canary' in open('/proc/{victim}/root' + {secret_path!r}).read())",
    "a file in shared memory": "print('canary' in open({shared_path!r}).read())",
    "facts about a file": "import os\nprint(os.stat({secret_path!r}).st_size > 0)",
    "whether a file is there": "from pathlib import Path\nprint(Path({secret_path!r}).exists())",
    "a file planted": "open({write_path!r}, 'w').write('x')\nfrom pathlib import Path\nprint(Path({write_path!r}).exists())",
    "a folder made": "import os\nos.mkdir({write_path!r} + '.d')\nprint(os.path.isdir({write_path!r} + '.d'))",
    "a file moved": "import os\nos.rename({secret_path!r}, 'moved')\nos.rename('moved', {secret_path!r})\nprint(True)",
    "a file removed": "import os\nos.remove({spare_path!r})\nprint(True)",
    "a folder listed": "import os\nprint('usr' in os.listdir('/'))",
    "a folder listed by pathlib": "from pathlib import Path\nprint('/usr' in [str(each) for each in Path('/').iterdir()])",
    "the shadow passwords": "print('root:' in open('/etc/shadow').read())",
    "the accounts": "import pwd\nprint(pwd.getpwuid(0).pw_name == 'root')",
    "the host's name": "import socket\nprint(socket.gethostname() == {hostname!r})",
    "the host's kernel": "import os\nprint(len(os.uname().release) > 0)",
    "the environment": "import os\nprint(any('canary' in value for value in os.environ.values()))",
    "a variable of the environment": "import os\nprint('canary' in os.getenv('STANDFAST_TEST_SECRET'))",
    "another process's environment": "print('canary' in open('/proc/{victim}/environ').read())",
    "another process's command line": "print('canary' in open('/proc/{victim}/cmdline').read())",
    "the kernel's log": "import os\nprint(os.open('/dev/kmsg', os.O_RDONLY) > 0)",
    "a socket": "import socket\nprint(socket.create_connection(('127.0.0.1', {tcp_port}), 2).recv(5) == b'hello')",
    "a datagram": (
        "import socket\nsender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "print(sender.sendto(b'x', ('127.0.0.1', {udp_port})) == 1)"
    ),
    "a stream of asyncio": (
        "import asyncio\nasync def main():\n    reader, _ = await asyncio.open_connection('127.0.0.1', {tcp_port})\n"
        "    print(await reader.read(5) == b'hello')\nasyncio.run(main())"
    ),
    "a web request": "import urllib.request\nprint(bool(urllib.request.Request('http://127.0.0.1:{tcp_port}/')))",
    "a name resolved": "import socket\nprint(len(socket.getaddrinfo('127.0.0.1', 80)) > 0)",
    "a program": "import subprocess\nprint(subprocess.run(['/bin/true']).returncode == 0)",
    "a program by its parts": "import os\nprint(os.waitpid(os.posix_spawn('/bin/true', ['true'], {{}}), 0)[1] == 0)",
    "a shell": "import os\nprint(os.system('true') == 0)",
    "a shell's output": "import os\nprint('yes' in os.popen('echo yes').read())",
    "a second process": "import os\npid = os.fork()\nif pid == 0:\n    os._exit(0)\nprint(os.waitpid(pid, 0)[1] == 0)",
    "a module by its name as text": "print(__import__('os').getpid() > 0)",
    "a module by the machinery": "import importlib\nprint(importlib.import_module('os').getpid() > 0)",
    "a module that is loaded": "import sys\nprint(sys.modules['os'].getpid() > 0)",
    "the C library": "import ctypes\nprint(ctypes.CDLL(None).getpid() > 0)",
    "a signal": "import os\nos.kill({victim}, 10)\nprint(True)",
    "a signal's handler": "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint(True)",
    "a limit of its process": "import resource\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\nprint(True)",
    "a thread": "import threading\nt = threading.Thread(target=print)\nt.start()\nt.join()\nprint(True)",
    "the classes behind everything": "print(len(().__class__.__base__.__subclasses__()) > 50)",
    "the classes by a format": "print('object' in '{{0.__class__.__base__}}'.format(()))",
    "the frames below": "import sys\nprint(sys._getframe(0).f_globals is not None)",
    "the frame behind an error": (
        "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    print(error.__traceback__.tb_frame.f_globals is not None)"
    ),
    "the frame behind a generator": "print((each for each in []).gi_frame.f_globals is not None)",
    "the names behind a function": "def f():\n    pass\nprint('__builtins__' in f.__globals__)",
    "the code behind a function": "print(len((lambda: 1).__code__.co_code) > 0)",
    "the module behind a function": "print(print.__self__.open is not None)",
    "the names of everything": "print(globals()['__builtins__'] is not None)",
    "the garbage collector": "import gc\nprint(len(gc.get_objects()) > 50)",
    "code made at run time": "print(eval('open')({secret_path!r}).read().startswith('canary'))",
    "code run at run time": "exec('import os')\nprint(os.getpid() > 0)",
    "code made from its parts": "print(compile('1', 'x', 'eval').replace(co_name='y').co_name == 'y')",
    "data that runs when it is read": "import pickle\nprint(pickle.loads(b'cos\\ngetpid\\n(tR.') > 0)",
}
"""Each prints True where it got out."""
LOUD = {
    "processor": ("n = 0\nwhile n < 5_000_000:\n    n += 1", "timeout"),
    "time": ("import time\ntime.sleep({seconds})", "timeout"),
    "memory": ("held = []\nfor i in range(1000):\n    held.append('x' * 100000 + str(i))", "memory"),
    "memory of one text": ("held = 'x' * 100_000_000", "memory"),
    "memory of one number": ("held = 1 << 1_000_000_000", "memory"),
    "memory of one list": ("held = [0] * 12_000_000", "memory"),
    "output": ("for _ in range(100):\n    print('x' * 100_000)", "output"),
    "disk in many files": ("for i in range(900):\n    open(f'f{{i}}', 'w').write('x' * 10000)", "exit"),
    "disk in one large file": ("open('a', 'w').write('x' * 3000000)", "exit"),
    "disk in one growing file": ("with open('b', 'a') as f:\n    for i in range(900):\n        f.write('x' * 10000)", "exit"),
}
"""What takes more than the profile grants, and how it ends; each prints True where it was let."""
TIGHT = {"processor": {"cpu_s": 0.1}, "time": {"wall_s": 0.5}}
"""Limits of the probes that are about time; the others have time enough, so that it is not time which holds them."""
LET = "\nprint(True)"
HELD_S = 120


@pytest.fixture
async def monty() -> AsyncGenerator[MontySandbox]:
    """One pool."""
    async with MontySandbox(workers=2) as sandbox:
        yield sandbox


def quiet(told: dict[str, str]) -> dict[str, str]:
    """Return the quiet probes for what lies outside."""
    values = {key: int(value) if value.isdigit() else value for key, value in told.items()}
    return {name: source.format(**values) for name, source in QUIET.items()}


def loud(seconds: float) -> dict[str, str]:
    """Return the loud ones; what takes time takes so many seconds."""
    return {name: source.format(seconds=seconds) + LET for name, (source, _) in LOUD.items()}


async def without_a_sandbox(told: dict[str, str], programs: dict[str, str]) -> dict[str, str]:
    """Run programs in CPython, and return what each printed last."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(CONTROL)), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=told["scratch"]
    )
    said, _ = await process.communicate(json.dumps(programs).encode())
    return json.loads(said)


async def ran(monty: MontySandbox, source: str, **limits: float) -> SandboxResult:
    """Run a program in Monty."""
    return await monty.run(PROFILE.model_copy(update=limits), ["python", "main.py"], files={"main.py": source.encode()})


class TestProbes:
    async def test_all_get_out_where_no_sandbox_is(self, told: dict[str, str]) -> None:
        programs = {**quiet(told), **loud(0.1)}
        said = await without_a_sandbox(told, programs)
        assert [name for name, text in said.items() if not text.endswith("True\n")] == []
        assert len(programs) >= FEWEST

    async def test_get_nowhere_quietly(self, monty: MontySandbox, told: dict[str, str]) -> None:
        results = {name: await ran(monty, source) for name, source in quiet(told).items()}
        assert [name for name, result in results.items() if "True" in result.stdout] == []
        assert {result.ended for result in results.values()} == {"exit"}
        assert not Path(told["write_path"]).exists()
        assert Path(told["spare_path"]).exists()

    async def test_get_no_more_than_their_profile_grants(self, monty: MontySandbox) -> None:
        results = {name: await ran(monty, source, **TIGHT.get(name, {})) for name, source in loud(HELD_S).items()}
        assert [name for name, result in results.items() if "True" in result.stdout] == []
        assert {name: result.ended for name, result in results.items()} == {name: ended for name, (_, ended) in LOUD.items()}
        assert {name for name, result in results.items() if "No space left on device" in result.stderr} == {
            name for name in LOUD if name.startswith("disk")
        }
