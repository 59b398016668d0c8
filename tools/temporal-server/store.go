package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.temporal.io/server/common/config"
	sqliteplugin "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	sqliteschema "go.temporal.io/server/schema/sqlite"
	"google.golang.org/protobuf/types/known/durationpb"
)

// retention is how long a closed workflow stays readable. The ledger's sweeper and reconciler compare runs with
// their histories for this long; the server's own default for a new namespace is 24 hours.
const retention = 30 * 24 * time.Hour

// openStore prepares the SQLite database: schema for a new file, then the namespaces with their search attributes.
func openStore(o *options) (*config.SQL, error) {
	store := &config.SQL{PluginName: sqliteplugin.PluginName, ConnectAttributes: map[string]string{}}
	for key, value := range o.pragmas {
		store.ConnectAttributes[key] = value
	}
	if o.databaseFile == "" {
		store.DatabaseName = fmt.Sprintf("standfast-%d", os.Getpid())
		store.ConnectAttributes["mode"] = "memory"
		store.ConnectAttributes["cache"] = "shared"
	} else {
		store.DatabaseName = o.databaseFile
		store.ConnectAttributes["mode"] = "rwc"
		if err := createSchema(o.databaseFile, store); err != nil {
			return nil, err
		}
	}
	return store, createNamespaces(o, store)
}

// createSchema builds the schema beside the final file and renames it, so that a process killed half way
// leaves no file that looks complete.
func createSchema(path string, store *config.SQL) error {
	if !fileIsAbsent(path) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("cannot make the folder of --db-filename: %w", err)
	}
	draft := *store
	draft.DatabaseName = path + ".new"
	// Without WAL the draft is one file, so one rename moves all of it.
	draft.ConnectAttributes = map[string]string{"mode": "rwc"}
	for _, leftover := range []string{"", "-wal", "-shm", "-journal"} {
		_ = os.Remove(draft.DatabaseName + leftover)
	}
	if err := sqliteschema.SetupSchema(&draft); err != nil {
		return fmt.Errorf("cannot set up the schema of %s: %w", path, err)
	}
	return os.Rename(draft.DatabaseName, path)
}

func createNamespaces(o *options, store *config.SQL) error {
	for _, name := range o.namespaces {
		namespace, err := sqliteschema.NewNamespaceConfig(clusterName, name, false, o.searchAttributes)
		if err != nil {
			return fmt.Errorf("namespace %s: %w", name, err)
		}
		namespace.Detail.Config.Retention = durationpb.New(retention)
		if err := sqliteschema.CreateNamespaces(store, namespace); err != nil {
			return err
		}
	}
	return nil
}
