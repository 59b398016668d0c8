// Command temporal-server is the development server of Standfast: the published Temporal server and its Web UI
// in one process, started with the arguments of `temporal server start-dev`. It listens on loopback; --listen-everywhere, which
// the official program does not have, is for a container in a network of its own.
package main

import (
	"fmt"
	"os"
	"slices"

	uiversion "github.com/temporalio/ui-server/v2/server/version"
	"go.temporal.io/server/common/headers"
)

const usage = `usage: temporal-server server start-dev [flags]
       temporal-server operator cluster health [--address 127.0.0.1:7233]
       temporal-server --version`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "temporal-server:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) == 1 && (arguments[0] == "--version" || arguments[0] == "-v") {
		fmt.Printf("temporal-server version standfast (Server %s, UI %s)\n", headers.ServerVersion, uiversion.UIVersion)
		return nil
	}
	if len(arguments) >= 3 && slices.Equal(arguments[:3], []string{"operator", "cluster", "health"}) {
		return checkHealth(arguments[3:])
	}
	if len(arguments) < 2 || arguments[0] != "server" || arguments[1] != "start-dev" {
		return fmt.Errorf("unknown command\n%s", usage)
	}
	chosen, err := parseOptions(arguments[2:])
	if err != nil {
		return err
	}
	return serve(chosen)
}
