"""The system calls that programs in a sandbox may make; every other one answers ENOSYS, as on a kernel without it.

Left out on purpose: what makes or enters namespaces, mounts, loads code into the kernel, looks into other processes, reads the kernel's
log or keys, sets clocks, and the wide interfaces with a history of holes (bpf, io_uring, userfaultfd, perf events, keyrings). Names as in
the kernel's tables; one that an architecture lacks is skipped there.
"""

FILES = (
    "access close close_range copy_file_range creat dup dup2 dup3 eventfd eventfd2 faccessat faccessat2 fadvise64 fallocate fchdir fchmod "
    "fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstatfs fsync ftruncate "
    "futimesat getcwd getdents getdents64 getxattr inotify_add_watch inotify_init inotify_init1 inotify_rm_watch ioctl lchown lgetxattr "
    "link linkat listxattr llistxattr lremovexattr lseek lsetxattr lstat memfd_create mkdir mkdirat mknod mknodat newfstatat open openat "
    "openat2 pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr rename "
    "renameat renameat2 rmdir sendfile setxattr splice stat statfs statx symlink symlinkat sync sync_file_range syncfs tee truncate umask "
    "unlink unlinkat utime utimensat utimes vmsplice write writev chdir chmod chown"
)
MEMORY = (
    "brk madvise map_shadow_stack membarrier mincore mlock mlock2 mlockall mmap mprotect mremap mseal msync munlock munlockall munmap "
    "pkey_alloc pkey_free pkey_mprotect remap_file_pages"
)
PROCESSES = (
    "arch_prctl alarm capget capset execve execveat exit exit_group fork getcpu getegid geteuid getgid getgroups getitimer getpgid getpgrp "
    "getpid getppid getpriority getrandom getresgid getresuid getrlimit getrusage getsid gettid getuid kill landlock_add_rule "
    "landlock_create_ruleset landlock_restrict_self pause pidfd_open pidfd_send_signal prctl prlimit64 restart_syscall rseq rt_sigaction "
    "rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max "
    "sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_setaffinity "
    "sched_setattr sched_setparam sched_setscheduler sched_yield seccomp set_robust_list get_robust_list set_thread_area get_thread_area "
    "set_tid_address setfsgid setfsuid setgid setgroups setitimer setpgid setpriority setregid setresgid setresuid setreuid setrlimit "
    "setsid setuid sigaltstack signalfd signalfd4 sysinfo tgkill time times tkill uname vfork wait4 waitid"
)
WAITING = (
    "clock_getres clock_gettime clock_nanosleep epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait "
    "epoll_wait_old futex futex_requeue futex_wait futex_waitv futex_wake gettimeofday nanosleep poll ppoll pselect6 select timer_create "
    "timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime"
)
TALKING = (
    "accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg sendmmsg sendmsg sendto setsockopt "
    "shutdown socketpair mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd semctl semget "
    "semop semtimedop shmat shmctl shmdt shmget"
)
ALLOWED: tuple[str, ...] = tuple(f"{FILES} {MEMORY} {PROCESSES} {WAITING} {TALKING}".split())
"""Allowed with any arguments; `clone`, `socket` and `personality` are allowed with some."""

NEW_NAMESPACES = 0x7E020000
"""linux/sched.h: CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET."""
PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
"""linux/personality.h: Linux with or without ADDR_COMPAT_LAYOUT and UNAME26, and the question which one is set."""
AF_UNIX, AF_INET, AF_INET6 = 1, 2, 10
"""linux/socket.h. No other family: netlink, packet, vsock, alg and their kin are ways into the kernel."""


def socket_families(*, network: bool) -> tuple[int, ...]:
    """Return the socket families that a sandbox may use; without a network not even loopback is offered."""
    return (AF_UNIX, AF_INET, AF_INET6) if network else (AF_UNIX,)
