//go:build !linux

package main

import (
	"fmt"
	"net"
)

// reserve finds out that a port can be used: the wanted one, or one the kernel chooses when that is 0. Only Linux lets a process keep
// it meanwhile, see the other file.
func reserve(ip string, port int) (int, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(ip, fmt.Sprint(port)))
	if err != nil {
		return 0, err
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
