package main

import (
	"net"
	"os"
	"syscall"
)

// reserve takes a port of a loopback address for this process: the wanted one, or one the kernel chooses when that is 0. A socket that is
// bound and never listens stays open until the process ends, so the kernel gives the port to nobody else by chance, neither to a server
// that asks for any port nor to an outgoing connection; our own server, which allows reuse as every Go listener does, can still listen.
func reserve(ip string, port int) (int, error) {
	family, address := syscall.AF_INET, syscall.Sockaddr(nil)
	if four := net.ParseIP(ip).To4(); four != nil {
		address = &syscall.SockaddrInet4{Port: port, Addr: [4]byte(four)}
	} else {
		family, address = syscall.AF_INET6, &syscall.SockaddrInet6{Port: port, Addr: [16]byte(net.ParseIP(ip).To16())}
	}
	socket, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	if err := syscall.SetsockoptInt(socket, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return 0, os.NewSyscallError("setsockopt", err)
	}
	if err := syscall.Bind(socket, address); err != nil {
		_ = syscall.Close(socket)
		return 0, os.NewSyscallError("bind", err)
	}
	bound, err := syscall.Getsockname(socket)
	if err != nil {
		return 0, os.NewSyscallError("getsockname", err)
	}
	if four, ok := bound.(*syscall.SockaddrInet4); ok {
		return four.Port, nil
	}
	return bound.(*syscall.SockaddrInet6).Port, nil
}
